//! What was measured, as text for people, and as tables for the documentation.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::memory;
use crate::scale;
use crate::targets::{self, Judged};

/// One figure.
#[derive(Clone, Debug)]
pub struct Row {
    pub group: String,
    pub work: String,
    /// Units, or how many; 0 where the work says it all.
    pub size: u64,
    pub who: String,
    /// Nanoseconds a string; in the group `memory`, what the work says.
    pub value: f64,
    /// To the one it is compared with in the same round: the median, and what a tenth of the rounds were below
    /// and above.
    pub ratio: f64,
    pub low: f64,
    pub high: f64,
}

impl Row {
    /// As a child process tells its parent.
    pub fn line(&self) -> String {
        format!(
            "row\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
            self.group, self.work, self.size, self.who, self.value, self.ratio, self.low, self.high
        )
    }

    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("row\t")?.split('\t');
        let mut word = || words.next();
        Some(Self {
            group: word()?.to_owned(),
            work: word()?.to_owned(),
            size: word()?.parse().ok()?,
            who: word()?.to_owned(),
            value: word()?.parse().ok()?,
            ratio: word()?.parse().ok()?,
            low: word()?.parse().ok()?,
            high: word()?.parse().ok()?,
        })
    }
}

fn size(row: &Row) -> String {
    match row.size {
        0 => String::new(),
        size => size.to_string(),
    }
}

/// A line of the text table.
pub fn plain(row: &Row, judged: bool) -> String {
    let figures = if row.group == "memory" {
        format!("{:>10.2}", row.value)
    } else {
        format!(
            "{:>10.1} ns {:>7.2} ({:.2} to {:.2})",
            row.value, row.ratio, row.low, row.high
        )
    };
    let judged = targets::judge(row)
        .filter(|_| judged)
        .map_or_else(String::new, |judged| {
            let verdict = if judged.met { "met" } else { "MISSED" };
            format!("  {} {}: {verdict}", judged.id, judged.bound)
        });
    format!(
        "{:<46} {:>8}  {:<34}{figures}{judged}",
        format!("{}: {}", row.group, row.work),
        size(row),
        row.who
    )
}

/// Distinct values in the order of their first appearance.
fn distinct<'a, T: Ord + Clone>(
    rows: impl Iterator<Item = &'a Row>,
    of: impl Fn(&'a Row) -> T,
) -> Vec<T> {
    let mut seen = BTreeSet::new();
    rows.map(of)
        .filter(|value| seen.insert(value.clone()))
        .collect()
}

/// The targets, and how far each was met: the worst figure of each.
pub fn targets_table(rows: &[Row]) -> String {
    let mut judged: Vec<(Judged, &Row)> = rows
        .iter()
        .filter_map(|row| Some((targets::judge(row)?, row)))
        .collect();
    // The worst first, within each kind.
    judged.sort_by(|(one, _), (other, _)| {
        let key = |judged: &Judged| (judged.number, judged.what, judged.who);
        key(one)
            .cmp(&key(other))
            .then(other.badness.total_cmp(&one.badness))
    });
    let mut text = String::from(
        "| target | what | who | bound | worst | spread | where | |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    let mut last = None;
    for (judged, row) in judged {
        let key = (judged.number, judged.what, judged.who);
        if last == Some(key) {
            continue;
        }
        last = Some(key);
        let spread = if row.low == 0.0 {
            String::new()
        } else {
            format!("{:.2} to {:.2}", row.low, row.high)
        };
        let place = match row.size {
            0 => row.work.clone(),
            size => format!("{}, {size}", row.work),
        };
        writeln!(
            text,
            "| {} | {} | {} | {} | {:.2} | {spread} | {place} | {} |",
            judged.id,
            judged.what,
            judged.who,
            judged.bound,
            judged.figure,
            if judged.met { "met" } else { "**missed**" }
        )
        .expect("a string can be written");
    }
    text
}

/// One table for each work: sizes down, contestants across.
pub fn tables(rows: &[Row]) -> String {
    let mut text = String::new();
    for group in distinct(rows.iter(), |row| row.group.clone()) {
        let of_group = || rows.iter().filter(|row| row.group == group);
        writeln!(text, "### {}\n", title(&group)).expect("a string can be written");
        if group == "memory" {
            text += &memory_table(of_group().collect());
            continue;
        }
        for work in distinct(of_group(), |row| row.work.clone()) {
            let of_work: Vec<&Row> = of_group().filter(|row| row.work == work).collect();
            let sizes = distinct(of_work.iter().copied(), |row| row.size);
            if group == "scale" && work == targets::FLAT {
                continue;
            }
            // Wide where there are many sizes, long where there are many contestants.
            let names = distinct(of_work.iter().copied(), |row| row.who.clone());
            write!(text, "**{work}**\n\n| |").expect("a string can be written");
            for size in &sizes {
                match size {
                    0 => text += " |",
                    size => write!(text, " {size} |").expect("a string can be written"),
                }
            }
            text += "\n| --- |";
            text += &" ---: |".repeat(sizes.len());
            text.push('\n');
            for name in names {
                write!(text, "| {name} |").expect("a string can be written");
                for size in &sizes {
                    let row = of_work
                        .iter()
                        .find(|row| row.who == name && row.size == *size);
                    let cell = row.map_or_else(String::new, |row| cell(row));
                    write!(text, " {cell} |").expect("a string can be written");
                }
                text.push('\n');
            }
            text.push('\n');
        }
    }
    text
}

/// A ratio; for who is compared with itself, nanoseconds. What misses its target stands out.
fn cell(row: &Row) -> String {
    // The base is exactly 1 in every round.
    if (row.low, row.high) == (1.0, 1.0) {
        return format!("{:.1} ns", row.value);
    }
    match targets::judge(row) {
        Some(judged) if !judged.met => format!("**{:.2}**", row.ratio),
        _ => format!("{:.2}", row.ratio),
    }
}

fn memory_table(rows: Vec<&Row>) -> String {
    let works = [
        memory::MILLION,
        memory::IDLE,
        memory::PEAK,
        memory::MINIMIZED,
    ];
    let mut text = String::from("| |");
    for work in works {
        write!(text, " {work} |").expect("a string can be written");
    }
    text += "\n| --- | ---: | ---: | ---: | ---: |\n";
    for name in distinct(rows.iter().copied(), |row| row.who.clone()) {
        write!(text, "| {name} |").expect("a string can be written");
        for work in works {
            let row = rows.iter().find(|row| row.who == name && row.work == work);
            match row {
                Some(row) => write!(text, " {:.2} |", row.value),
                None => write!(text, " |"),
            }
            .expect("a string can be written");
        }
        text.push('\n');
    }
    text.push('\n');
    text
}

fn title(group: &str) -> &str {
    match group {
        "single" => "One thread",
        "idle" => "One thread, while a second one sleeps",
        "untuned" => "One thread, malloc with its own thresholds",
        "threads" => "Several threads",
        "growth" => "Growth",
        "text" => "Other wide strings (times that olemem is faster)",
        "wine" => "Wine (times that olemem is faster)",
        "scale" => "Many live strings",
        "memory" => "Memory",
        other => other,
    }
}

/// The curves over the number of live strings, as a picture.
pub fn scale_picture(rows: &[Row]) -> Option<String> {
    const WIDTH: f64 = 560.0;
    const HEIGHT: f64 = 300.0;
    const LEFT: f64 = 60.0;
    const TOP: f64 = 20.0;
    let rows: Vec<&Row> = rows
        .iter()
        .filter(|row| row.group == "scale" && row.work != targets::FLAT)
        .filter(|row| row.who != scale::CONTROL)
        .collect();
    let largest = rows.iter().map(|row| row.value).fold(0.0, f64::max);
    let sizes = distinct(rows.iter().copied(), |row| row.size);
    let (first, last) = (*sizes.first()?, *sizes.last()?);
    if first == last {
        return None;
    }
    let digits = |size: u64| (size as f64).log10();
    let x = |size| LEFT + (digits(size) - digits(first)) / (digits(last) - digits(first)) * WIDTH;
    let y = |value: f64| TOP + HEIGHT - value / largest * HEIGHT;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        LEFT + WIDTH + 190.0,
        TOP + HEIGHT + 45.0
    );
    let mut put = |line: String| {
        text += &line;
        text.push('\n');
    };
    for part in 0..=4 {
        let value = largest * f64::from(part) / 4.0;
        let at = y(value);
        put(format!(
            "<path d=\"M{LEFT} {at:.1}h{WIDTH}\" stroke=\"#ddd\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value:.0} ns</text>",
            LEFT - 6.0,
            at + 4.0
        ));
    }
    for size in &sizes {
        put(format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{size}</text>",
            x(*size),
            TOP + HEIGHT + 18.0
        ));
    }
    put(format!(
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">live strings of 16 units</text>",
        LEFT + WIDTH / 2.0,
        TOP + HEIGHT + 38.0
    ));
    let mut line = 0.0;
    for (work, dash) in distinct(rows.iter().copied(), |row| row.work.clone())
        .into_iter()
        .zip(["5 4", "none"])
    {
        for (who, colour) in distinct(rows.iter().copied(), |row| row.who.clone())
            .into_iter()
            .zip(["#888888", "#c03020", "#2060c0"])
        {
            let points: Vec<String> = rows
                .iter()
                .filter(|row| row.work == work && row.who == who)
                .map(|row| format!("{:.1},{:.1}", x(row.size), y(row.value)))
                .collect();
            let style =
                format!("stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dash}\"");
            put(format!(
                "<polyline points=\"{}\" fill=\"none\" {style}/>",
                points.join(" ")
            ));
            let (at, down) = (LEFT + WIDTH + 12.0, TOP + 10.0 + line);
            line += 18.0;
            let short = if work.starts_with("pair") {
                "pair"
            } else {
                "replaced"
            };
            let name = if who == "Rust" { "olemem" } else { &who };
            put(format!(
                "<path d=\"M{at} {down}h24\" {style}/><text x=\"{}\" y=\"{}\">{name}, {short}</text>",
                at + 30.0,
                down + 4.0
            ));
        }
    }
    text += "</svg>\n";
    Some(text)
}
