"""smolget beside the programs that one would take instead, on the same lists, in one run.

`make bench` runs it; `__main__` says what can be set. It owns a server on the loopback and a folder of its own, both gone
at the end, and a virtual environment below the target folder, which stays. It uses no network but the loopback, after
that environment was made once.
"""
