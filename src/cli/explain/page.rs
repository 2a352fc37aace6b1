//! How a topic is set on the page.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use olemem::audit::{Guide, Kind, Rule, Severity};

/// Columns of a line of prose.
const WIDTH: usize = 80;

/// Before prose and code.
const INDENT: &str = "    ";

const HEADING: Style = Style::new().bold();
const NAME: Style = AnsiColor::Cyan.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default();
const ERROR: Style = AnsiColor::Red.on_default();

/// All kinds and all rules, a line each.
pub(super) fn contents(out: &mut impl Write) -> io::Result<()> {
    heading(out, "Kinds of violations")?;
    for &kind in Kind::ALL {
        kind_line(out, kind)?;
    }
    writeln!(out)?;
    heading(out, "Rules")?;
    for rule in Rule::all() {
        rule_line(out, rule)?;
    }
    writeln!(
        out,
        "\n`olemem explain KIND` and `olemem explain RULE` tell more."
    )
}

pub(super) fn kind(out: &mut impl Write, kind: Kind) -> io::Result<()> {
    let guide = kind.guide();
    let (severity, style) = (kind.severity(), of_severity(kind.severity()));
    writeln!(out, "{NAME}{kind}{NAME:#}  {style}{severity}{style:#}\n")?;
    prose(out, guide.statement)?;
    section(out, "Rules")?;
    for &rule in kind.rules() {
        rule_line(out, rule)?;
    }
    if kind.rules().is_empty() {
        prose(out, "none of ownership")?;
    }
    common(out, guide)?;
    section(out, "Instead")?;
    prose(out, kind.help())?;
    source(out, guide)
}

pub(super) fn rule(out: &mut impl Write, rule: Rule) -> io::Result<()> {
    let guide = rule.guide();
    writeln!(out, "{NAME}{rule}{NAME:#}  {}\n", guide.title)?;
    prose(out, guide.statement)?;
    section(out, "Reported as")?;
    let mut kinds = rule.kinds().peekable();
    if kinds.peek().is_none() {
        prose(out, "no kind of its own")?;
    }
    for kind in kinds {
        kind_line(out, kind)?;
    }
    common(out, guide)?;
    source(out, guide)
}

/// What kinds and rules have in the middle.
fn common(out: &mut impl Write, guide: &Guide) -> io::Result<()> {
    section(out, &format!("Checked {}", guide.check.name()))?;
    prose(out, guide.how)?;
    section(out, "Broken")?;
    code(out, guide.broken)?;
    section(out, "Kept")?;
    code(out, guide.kept)
}

fn source(out: &mut impl Write, guide: &Guide) -> io::Result<()> {
    section(out, "Source")?;
    prose(out, guide.source)
}

fn kind_line(out: &mut impl Write, kind: Kind) -> io::Result<()> {
    let longest = |text: fn(Kind) -> String| {
        let lengths = Kind::ALL.iter().map(|kind| text(*kind).len());
        lengths.max().unwrap_or_default()
    };
    let (width, rules_width) = (longest(|kind| kind.to_string()), longest(rules_of));
    let style = of_severity(kind.severity());
    writeln!(
        out,
        "{INDENT}{NAME}{:width$}{NAME:#}  {style}{:7}{style:#}  {:rules_width$}  {}",
        kind.name(),
        kind.severity().name(),
        rules_of(kind),
        kind.guide().title,
    )
}

/// The rules of a kind, in a row.
fn rules_of(kind: Kind) -> String {
    let rules: Vec<String> = kind.rules().iter().map(Rule::to_string).collect();
    rules.join(" ")
}

fn rule_line(out: &mut impl Write, rule: Rule) -> io::Result<()> {
    let (name, title) = (rule.to_string(), rule.guide().title);
    writeln!(out, "{INDENT}{NAME}{name:3}{NAME:#}  {title}")
}

fn of_severity(severity: Severity) -> Style {
    match severity {
        Severity::Warning => WARNING,
        Severity::Error => ERROR,
    }
}

/// A heading after something else.
fn section(out: &mut impl Write, text: &str) -> io::Result<()> {
    writeln!(out)?;
    heading(out, text)
}

fn heading(out: &mut impl Write, text: &str) -> io::Result<()> {
    writeln!(out, "{HEADING}{text}{HEADING:#}")
}

fn code(out: &mut impl Write, text: &str) -> io::Result<()> {
    for line in text.lines() {
        writeln!(out, "{INDENT}{line}")?;
    }
    Ok(())
}

fn prose(out: &mut impl Write, text: &str) -> io::Result<()> {
    for line in lines(text, WIDTH - INDENT.len()) {
        writeln!(out, "{INDENT}{line}")?;
    }
    Ok(())
}

/// Words as lines of at most `width` characters, longer words apart.
fn lines(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn words_fill_lines_and_no_line_is_too_long() {
        assert_eq!(lines("", 9), [""; 0]);
        assert_eq!(lines("one two  three", 7), ["one two", "three"]);
        assert_eq!(
            lines("one extraordinary two", 7),
            ["one", "extraordinary", "two"]
        );
        assert_eq!(lines("é é é é", 3), ["é é", "é é"]);
    }
}
