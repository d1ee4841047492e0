//! Where words go: the answer to stdout, commentary to stderr.

use std::fmt::Display;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use tabwriter::{Alignment, TabWriter};

/// Section titles.
pub(super) const TITLE: Style = Style::new().bold();
/// What is less important.
pub(super) const DIM: Style = Style::new().dimmed();
/// What is as it should be.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
/// What needs a look.
pub(super) const CARE: Style = AnsiColor::Yellow.on_default();
/// What failed.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();

/// `text` in a style; the styles disappear where stdout or stderr is no terminal.
pub(super) fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// How much commentary is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    /// Whether stdout gets a JSON document.
    pub(super) json: bool,
    /// Whether commentary is left out.
    pub(super) quiet: bool,
    /// Whether more is said.
    pub(super) verbose: bool,
}

impl Output {
    /// Writes the answer. A reader that went away is no failure.
    pub(super) fn answer(self, text: &str) -> io::Result<()> {
        let mut stdout = anstream::stdout().lock();
        let outcome = stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush());
        match outcome {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    /// Writes the answer as one JSON document.
    pub(super) fn document(self, document: &impl serde::Serialize) -> io::Result<()> {
        let mut text = serde_json::to_string_pretty(document)?;
        text.push('\n');
        self.answer(&text)
    }

    /// Commentary, a line.
    pub(super) fn status(self, text: impl Display) {
        if !self.quiet {
            Self::line(text);
        }
    }

    /// More commentary, for those who asked for it.
    pub(super) fn detail(self, text: impl Display) {
        if self.verbose && !self.quiet {
            Self::line(styled(DIM, text));
        }
    }

    /// A warning: said even when quiet.
    pub(super) fn warning(self, text: impl Display) {
        Self::line(format_args!("{} {text}", styled(CARE, "warning:")));
    }

    /// The next step, after an answer that asks for one.
    pub(super) fn hint(text: impl Display) {
        Self::line(format_args!("{} {text}", styled(CARE, "hint:")));
    }

    /// A line on stderr. Nobody is left to be told when that fails.
    pub(super) fn line(text: impl Display) {
        let _ = writeln!(anstream::stderr().lock(), "{text}");
    }
}

/// Rows of tab-separated cells as an aligned table, each line indented.
pub(super) fn table(indent: &str, rows: &[String]) -> String {
    let mut writer = TabWriter::new(Vec::new())
        .padding(2)
        .ansi(true)
        .alignment(Alignment::Left);
    let mut text = rows.join("\n");
    text.push('\n');
    let laid_out = writer
        .write_all(text.as_bytes())
        .and_then(|()| writer.flush())
        .ok()
        .and_then(|()| writer.into_inner().ok())
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or(text);
    laid_out.lines().fold(String::new(), |mut lines, line| {
        lines.push_str(indent);
        lines.push_str(line.trim_end());
        lines.push('\n');
        lines
    })
}
