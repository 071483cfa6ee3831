//! What runs cost → a Markdown table.

use super::process::Cost;
use super::programs::Program;

/// A program, how it was called, and its runs.
pub struct Series<'a> {
    pub program: &'a Program,
    pub arguments: String,
    pub costs: Vec<Cost>,
}

/// Prints a table of medians, with the least and the most beside; the first series is what the others are compared to.
pub fn print(series: &[Series]) {
    let [first, ..] = series else { return };
    let ours = spread(first, |cost| cost.cpu);
    println!("| | CPU, s | wall, s | peak memory, MiB | CPU of smolget to its |");
    println!("|---|---|---|---|---|");
    for one in series {
        let (cpu, wall) = (spread(one, |cost| cost.cpu), spread(one, |cost| cost.wall));
        let peak = spread(one, |cost| cost.peak.map_or(f64::NAN, |kib| kib as f64 / 1024.0));
        let ratio = ours.median / cpu.median;
        println!("| {} | {} | {} | {} | {ratio:.2} |", one.program.name, cpu.show(2), wall.show(2), peak.show(1));
    }
    println!("\n```sh");
    for one in series {
        println!("{} {}", one.program.name.split(' ').next().unwrap_or_default(), one.arguments);
    }
    println!("```\n");
}

struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

fn spread(series: &Series, value: impl Fn(&Cost) -> f64) -> Spread {
    let mut values: Vec<f64> = series.costs.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    Spread { median: at(values.len() / 2), least: at(0), most: at(values.len().saturating_sub(1)) }
}

impl Spread {
    fn show(&self, digits: usize) -> String {
        if self.median.is_nan() {
            return "not known".to_owned();
        }
        format!("{:.digits$} ({:.digits$} to {:.digits$})", self.median, self.least, self.most)
    }
}
