"""The program that articles on asyncio show: aiohttp, a session, a semaphore, the results gathered.

    article.py LIST AT_ONCE [--dir DIR] [--cacert FILE]

It is measured as a program of its own, Python's start included. Bodies are saved under DIR, or only counted. It writes
nothing else, and fails with the first URL that fails.
"""

from __future__ import annotations

import argparse
import asyncio
import ssl
from pathlib import Path
from typing import List, Optional

import aiohttp

#: As much as aiohttp buffers of a body by itself, twice.
PIECE = 1 << 17


async def main(options: argparse.Namespace) -> None:
    """Fetches the whole list."""
    urls = Path(options.list).read_text().split()
    semaphore = asyncio.Semaphore(options.at_once)
    trust = ssl.create_default_context(cafile=options.cacert) if options.cacert else None
    # No limit beside the semaphore's; no limit on a large body's time.
    connector = aiohttp.TCPConnector(limit=0, **({"ssl": trust} if trust else {}))
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, raise_for_status=True) as session:
        await gather(session, semaphore, urls, options.dir)


async def gather(
    session: aiohttp.ClientSession, semaphore: asyncio.Semaphore, urls: List[str], folder: Optional[str]
) -> List[int]:
    """A task for each URL, all made at once; how long each body was."""

    async def one(url: str) -> int:
        async with semaphore, session.get(url) as response:
            return await (save(response, folder) if folder else count(response))

    return await asyncio.gather(*(one(url) for url in urls))


async def count(response: aiohttp.ClientResponse) -> int:
    """Reads a body and forgets it."""
    return sum([len(piece) async for piece in response.content.iter_chunked(PIECE)])


async def save(response: aiohttp.ClientResponse, folder: str) -> int:
    """Writes a body under the last part of its URL."""
    length = 0
    with open(Path(folder) / response.url.name, "wb") as file:
        async for piece in response.content.iter_chunked(PIECE):
            length += file.write(piece)
    return length


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("list")
    parser.add_argument("at_once", type=int)
    parser.add_argument("--dir")
    parser.add_argument("--cacert")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main(arguments()))
