//! `flexctl man`

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use serde::Serialize;

use super::super::ExitCode;
use super::super::args::Cli;
use super::super::error::Failure;
use super::super::output::Output;

/// Print the manual page, or write one for every command
///
/// The pages are the help texts in the form that man reads. They hold no date and
/// no path: the same version writes the same bytes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flexctl man | man -l -
  flexctl man --output /usr/local/share/man/man1")]
pub(in crate::cli) struct ManArgs {
    /// Write flexctl.1, flexctl-list.1 and so on into this folder
    ///
    /// The folder is made when it is not there; pages in it are replaced.
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct ManReport {
    schema: &'static str,
    pages: Vec<Page>,
}

/// A page.
#[derive(Debug, Serialize)]
struct Page {
    /// Name of its file.
    file: String,
    text: String,
}

pub(in crate::cli) fn man(args: &ManArgs, output: Output) -> Result<ExitCode, Failure> {
    let mut command = in_full(Cli::command()).disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    add_pages(&command, None, &mut pages).map_err(|error| Failure::unwritten(&error))?;
    if let Some(folder) = &args.output {
        write(folder, &pages)?;
        let count = pages.len();
        output.status(format_args!("wrote {count} pages to {}", folder.display()));
    } else {
        pages.truncate(1);
    }
    let outcome = if output.json {
        output.document(&ManReport {
            schema: "flexctl.man/1",
            pages,
        })
    } else if args.output.is_none() {
        output.answer(&pages.into_iter().map(|page| page.text).collect::<String>())
    } else {
        Ok(())
    };
    outcome.map_err(|error| Failure::unwritten(&error))?;
    Ok(ExitCode::Done)
}

fn write(folder: &Path, pages: &[Page]) -> Result<(), Failure> {
    let failed = |path: &Path, error: &io::Error| {
        let words = format!("cannot write `{}`", path.display());
        let mut failure = Failure::message(ExitCode::Failed, words);
        failure.messages.push(error.to_string());
        failure.hint("--output needs a folder that you may write to")
    };
    fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    for page in pages {
        let path = folder.join(&page.file);
        fs::write(&path, &page.text).map_err(|error| failed(&path, &error))?;
    }
    Ok(())
}

/// With the help of options that `-h` leaves out, as clap_mangen would too.
fn in_full(command: Command) -> Command {
    command
        .mut_args(|arg| arg.hide_short_help(false))
        .mut_subcommands(in_full)
}

/// The page of a command and those of its subcommands.
fn add_pages(command: &Command, above: Option<&str>, pages: &mut Vec<Page>) -> io::Result<()> {
    let name = command
        .get_display_name()
        .unwrap_or_else(|| command.get_name());
    pages.push(Page {
        file: format!("{name}.1"),
        text: page(command, name, above)?,
    });
    for subcommand in command.get_subcommands().filter(|one| !one.is_hide_set()) {
        add_pages(subcommand, Some(name), pages)?;
    }
    Ok(())
}

fn page(command: &Command, name: &str, above: Option<&str>) -> io::Result<String> {
    let version = concat!("flexctl ", env!("CARGO_PKG_VERSION"));
    // An empty date would not be written down, and the version become the date.
    let man = Man::new(command.clone())
        .title(name.to_uppercase())
        .date(" ")
        .source(version)
        .manual("flexctl manual");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    let mut own = Roff::new();
    own.control("SH", ["SYNOPSIS"]);
    synopsis(&mut own, command);
    own.control("SH", ["DESCRIPTION"]);
    let about = command.get_long_about().or_else(|| command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    // The first paragraph is in NAME already.
    let rest = about.split_once("\n\n").map(|(_, rest)| rest);
    paragraphs(&mut own, rest.unwrap_or(&about));
    own.to_writer(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let mut own = Roff::new();
    let after = command
        .get_after_long_help()
        .or_else(|| command.get_after_help());
    sections(
        &mut own,
        &after.map(ToString::to_string).unwrap_or_default(),
    );
    if let Some(above) = above {
        own.control("SH", ["SEE ALSO"]);
        own.text([bold(above), roman("(1)")]);
    }
    own.to_writer(&mut page)?;
    // Every part begins with the same two lines; once is enough.
    let page = String::from_utf8_lossy(&page);
    let preamble = Roff::new().render();
    Ok(format!("{preamble}{}", page.replace(&preamble, "")))
}

/// The usage line of the help texts, which tells what can be repeated.
fn synopsis(roff: &mut Roff, command: &Command) {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let usage = command.clone().render_usage().to_string();
    for line in usage.lines() {
        let line = line.trim_start_matches("Usage:").trim();
        let rest = line.strip_prefix(name).unwrap_or(line);
        roff.text([bold(name), roman(rest)]);
    }
}

/// What stands below the options: `Title:` and its lines, again and again.
fn sections(roff: &mut Roff, text: &str) {
    for block in text.split("\n\n").filter(|block| !block.is_empty()) {
        match block.split_once(":\n") {
            Some((title, lines)) if !title.contains('\n') => {
                let title = match title {
                    "Exit codes" => "EXIT STATUS".to_owned(),
                    other => other.to_uppercase(),
                };
                roff.control("SH", [title.as_str()]);
                paragraphs(roff, lines);
            }
            _ => {
                roff.control("PP", []);
                paragraphs(roff, block);
            }
        }
    }
}

/// Text that is filled, and indented lines that stay as they are.
fn paragraphs(roff: &mut Roff, text: &str) {
    let mut as_it_is = false;
    for line in text.lines() {
        let indented = line.starts_with(' ');
        if indented != as_it_is && !line.is_empty() {
            roff.control(if indented { "nf" } else { "fi" }, []);
            as_it_is = indented;
        }
        if line.is_empty() {
            roff.control("PP", []);
        } else {
            roff.text([roman(line)]);
        }
    }
    if as_it_is {
        roff.control("fi", []);
    }
}
