//! Where filters come from: an image, a report, a profile, or a filter itself.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use confine_bpf::{Action, Filter, Options, Weights};
use confine_profile::Reading;

use crate::arguments::{CompilerArguments, FilterInput};
use crate::subject::{Place, Subject};
use crate::terminal;

/// What is not spoken of says EPERM where a profile names no number (libseccomp's users do so).
const DEFAULT_ERRNO: u16 = 1;

/// How policies are compiled.
pub fn options(arguments: &CompilerArguments) -> anyhow::Result<Options> {
    let mut options = Options::default();
    if let Some(denied) = arguments.denied {
        options.denied = denied;
    }
    if let Some(path) = &arguments.weights {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        options.weights = text
            .parse::<Weights>()
            .with_context(|| path.display().to_string())?;
    }
    Ok(options)
}

/// The filters of what the arguments name.
pub fn filters(input: &FilterInput) -> anyhow::Result<Vec<Filter>> {
    let mut options = options(&input.compiler)?;
    let analysis = &input.analysis;
    let name = &analysis.image;
    let place = Place::of(name)?;
    let program = analysis.program.as_deref();
    if let Some(filter) = place.file().map(raw).transpose()?.flatten() {
        ensure!(
            program.is_none(),
            "{name}: a filter is taken as it is: --program is for images and reports"
        );
        let filter = Filter::from_bytes(&filter).with_context(|| format!("{name}: not a filter"))?;
        return Ok(vec![filter]);
    }
    let subject = place.load(analysis, &[])?;
    let policy = subject.policy(program, None)?;
    if let Subject::Profile(reading) = &subject {
        if !analysis.quiet {
            subject.notes().iter().for_each(|note| terminal::warning(note));
        }
        if reading.permissive {
            bail!(
                "{name}: expected a profile that denies what it does not name: no filter of ours allows that"
            );
        }
        if input.compiler.denied.is_none() {
            options.denied = default_action(reading)?;
        }
    }
    confine_bpf::compile(&policy, &options).context("cannot compile the policy to a filter")
}

/// The longest filter that the kernel takes, and a bit more, so that a longer one is told.
const LONGEST: u64 = 2 * 8 * confine_bpf::MAXIMUM_INSTRUCTIONS as u64;

/// The bytes of a raw filter, if a file is one: it begins by loading a word or by its answer; JSON begins with a brace,
/// archives begin with a file's name or the mark of a compression.
fn raw(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let read = |bytes| File::open(path)?.take(LONGEST).read_to_end(bytes);
    read(&mut bytes).with_context(|| format!("cannot read {}", path.display()))?;
    let is_filter = bytes.starts_with(&[0x20, 0, 0, 0]) || bytes.starts_with(&[0x06, 0, 0, 0]);
    Ok(is_filter.then_some(bytes))
}

fn default_action(reading: &Reading) -> anyhow::Result<Action> {
    Ok(match reading.default_action.as_str() {
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => Action::KillThread,
        "SCMP_ACT_KILL_PROCESS" => Action::KillProcess,
        "SCMP_ACT_TRAP" => Action::Trap(0),
        "SCMP_ACT_ERRNO" => Action::Errno(match reading.default_errno {
            None => DEFAULT_ERRNO,
            Some(number) => u16::try_from(number).context("expected an error number of at most 16 bits")?,
        }),
        other => {
            bail!("expected a default action that denies, as SCMP_ACT_ERRNO, found {other}: give --denied")
        }
    })
}
