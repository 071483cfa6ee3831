//! Measured figures and the budget's → a verdict on each; and a budget as text.
//!
//! A line of a budget is a name, a figure and its unit; a line that starts with `#` is for the reader.

/// How far a figure may be over its budget: what fails is more than this.
const LEEWAY: f64 = 0.05;

/// What was measured, or may be.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// One word.
    pub name: String,
    pub value: f64,
    pub unit: String,
}

impl Figure {
    pub fn new(name: impl Into<String>, value: f64, unit: impl Into<String>) -> Self {
        Self { name: name.into(), value, unit: unit.into() }
    }

    /// The figure and its unit. What is counted a request has a fraction.
    pub fn shown(&self) -> String {
        let Self { value, unit, .. } = self;
        if unit.ends_with("a request") { format!("{value:.2} {unit}") } else { format!("{value:.0} {unit}") }
    }
}

/// What each figure may be.
#[derive(Debug)]
pub struct Budget {
    comment: String,
    figures: Vec<Figure>,
}

impl Budget {
    /// Reads a budget.
    ///
    /// # Errors
    ///
    /// The first line that is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let is_comment = |line: &&str| line.is_empty() || line.starts_with('#');
        let comment = text.lines().filter(is_comment).map(|line| format!("{line}\n")).collect();
        let lines = text.lines().filter(|line| !is_comment(line));
        Ok(Self { comment, figures: lines.map(parse).collect::<Result<_, _>>()? })
    }

    /// Takes a figure out.
    pub fn remove(&mut self, name: &str) {
        self.figures.retain(|figure| figure.name != name);
    }

    /// A verdict for each name, whether it was measured or only is in the budget: what came of it, or what is wrong.
    pub fn judge(&self, measured: &[Figure]) -> Vec<(String, Result<String, String>)> {
        let judged = measured.iter().map(|figure| (figure.name.clone(), self.verdict(figure)));
        let unmeasured = self.figures.iter().filter(|figure| find(measured, &figure.name).is_none());
        let idle = |figure: &Figure| (figure.name.clone(), Err("in the budget, but not measured".to_owned()));
        judged.chain(unmeasured.map(idle)).collect()
    }

    fn verdict(&self, measured: &Figure) -> Result<String, String> {
        let Some(budget) = find(&self.figures, &measured.name) else {
            return Err(format!("{}, but there is no budget for it", measured.shown()));
        };
        let shown = format!("{}; budget {}", measured.shown(), budget.value);
        if budget.unit != measured.unit {
            Err(format!("{shown}: of another unit"))
        } else if measured.value > budget.value * (1.0 + LEEWAY) {
            Err(format!("{shown}: more than 5 % over"))
        } else if measured.value < budget.value * (1.0 - LEEWAY) {
            Ok(format!("{shown}: more than 5 % under, so the budget can be lowered: make budget WRITE=1"))
        } else {
            Ok(shown)
        }
    }

    /// The budget with other figures, and the same comment.
    pub fn renewed(&self, measured: &[Figure]) -> String {
        let width = measured.iter().map(|figure| figure.name.len()).max().unwrap_or(0);
        let line = |figure: &Figure| {
            let shown = figure.shown();
            let (value, unit) = shown.split_once(' ').unwrap_or((&shown, ""));
            format!("{:width$} {value:>10} {unit}\n", figure.name)
        };
        measured.iter().fold(self.comment.clone(), |text, figure| text + &line(figure))
    }
}

fn find<'a>(figures: &'a [Figure], name: &str) -> Option<&'a Figure> {
    figures.iter().find(|figure| figure.name == name)
}

fn parse(line: &str) -> Result<Figure, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        [name, value, unit @ ..] if !unit.is_empty() => match value.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Figure::new(*name, value, unit.join(" "))),
            _ => Err(format!("not a figure: `{value}` in `{line}`")),
        },
        _ => Err(format!("not a name, a figure and a unit: `{line}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# What a line means.\n\na/calls 100.00 system calls a request\nb/size 2000000 bytes\n";

    fn verdicts(calls: f64, size: f64) -> Vec<Result<String, String>> {
        let figures = [Figure::new("a/calls", calls, "system calls a request"), Figure::new("b/size", size, "bytes")];
        Budget::parse(TEXT).unwrap().judge(&figures).into_iter().map(|(_, verdict)| verdict).collect()
    }

    #[test]
    fn five_percent_over_passes_and_more_fails() {
        assert!(verdicts(100.0, 2_000_000.0).iter().all(Result::is_ok));
        assert!(verdicts(104.9, 2_098_000.0).iter().all(Result::is_ok));
        assert!(verdicts(105.1, 2_102_000.0).iter().all(Result::is_err));
        let [calls, size] = &verdicts(104.9, 2_102_000.0)[..] else { panic!() };
        assert!(calls.is_ok());
        assert_eq!(size.as_ref().unwrap_err(), "2102000 bytes; budget 2000000: more than 5 % over");
    }

    #[test]
    fn what_has_sunk_passes_and_is_told() {
        let is_told = |verdict: &Result<String, String>| verdict.as_ref().is_ok_and(|what| what.contains("lowered"));
        assert!(verdicts(94.9, 1_898_000.0).iter().all(is_told));
        assert!(!verdicts(95.1, 1_902_000.0).iter().any(is_told));
        assert!(verdicts(0.0, 0.0).iter().all(is_told));
    }

    #[test]
    fn a_figure_that_is_missing_on_either_side_fails() {
        let budget = Budget::parse(TEXT).unwrap();
        let calls = Figure::new("a/calls", 1.0, "system calls a request");
        let judged = budget.judge(&[calls.clone(), Figure::new("c/new", 0.0, "bytes")]);
        let failed: Vec<&str> =
            judged.iter().filter(|(_, verdict)| verdict.is_err()).map(|(name, _)| &name[..]).collect();
        assert_eq!(failed, ["c/new", "b/size"]);
        assert_eq!(Budget::parse("").unwrap().judge(&[calls]).iter().filter(|(_, v)| v.is_err()).count(), 1);
    }

    #[test]
    fn a_figure_of_another_unit_fails() {
        let other = Figure::new("b/size", 1.0, "MB");
        assert!(Budget::parse(TEXT).unwrap().judge(&[other])[0].1.is_err());
    }

    #[test]
    fn a_budget_that_was_written_is_read_again_with_its_comment() {
        let figures = [Figure::new("a/calls", 3.25, "system calls a request"), Figure::new("b/size", 7.0, "bytes")];
        let text = Budget::parse(TEXT).unwrap().renewed(&figures);
        assert!(text.starts_with("# What a line means.\n\na/calls "));
        assert_eq!(Budget::parse(&text).unwrap().figures, figures);
    }

    #[test]
    fn what_is_no_line_of_a_budget_is_refused() {
        for bad in ["a", "a 1", "a b c", "a NaN c", "a inf c"] {
            assert!(Budget::parse(bad).is_err(), "{bad}");
        }
    }
}
