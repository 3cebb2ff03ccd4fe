//! The kernel program's tables: what is written into them beforehand, and what is read out of them in the end.

use std::collections::BTreeMap;

use aya::Ebpf;
use aya::maps::{Array, HashMap, Map, MapError};

use crate::error::Error;
use crate::observer::chain;

/// As in `observe.bpf.c`.
const CALL_NUMBERS: u32 = 1024;
const PATH: usize = 1024;
const COMPAT: u32 = 0x8000_0000;

/// A call's key: program and number, then its arguments.
type CallKey = [u64; 7];
/// A file's note: its number, executions and size.
type Note = [u64; 3];
/// Kind, program, the other one, nothing.
type PairKey = [u32; 4];

/// What the kernel counted that it could not keep, by index into `state`; index 0 is no loss.
const LOSSES: [(u32, &str); 7] = [
    (
        1,
        "calls with ever new values did not fit into the kernel's table of 131072",
    ),
    (2, "files did not fit into the kernel's table of 8192"),
    (
        3,
        "pairs of a program and what it mapped did not fit into the kernel's table of 32768",
    ),
    (
        4,
        "tasks could not be told from the container runtime for want of memory",
    ),
    (
        5,
        "times it could not be seen what became executable in a program's memory",
    ),
    (
        6,
        "paths of files were longer than 1023 bytes or deeper than 128 folders",
    ),
    (
        7,
        "times the container changed its host name, by which its processes are recognised",
    ),
];

/// What a container's programs did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observation {
    /// Every file that was executed or mapped executable, by path.
    pub files: Vec<File>,
    /// Every call, by program.
    pub calls: Vec<CallCount>,
    /// Which program executed which.
    pub executed: Vec<Pair>,
    /// Which program mapped which object executable.
    pub mapped: Vec<Pair>,
}

/// A file that was executed or mapped executable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path as the container sees it; without a slash in front where it has no place in any folder, as
    /// `memfd:NAME`.
    pub path: String,
    /// How often it was executed.
    pub executions: u64,
    /// How many bytes it had when it was met first.
    pub size: u64,
}

/// A call with the values of the arguments that say what it does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallCount {
    /// Index of the program's file; `None` for the container runtime before it executed the image's program.
    pub program: Option<usize>,
    /// The call's number.
    pub number: u32,
    /// Whether it is of the 32-bit table.
    pub compat: bool,
    /// The values of its arguments, as far as the kernel reads them and they say what the call does; 0 where not.
    pub arguments: [u64; 6],
    /// How often it was made.
    pub times: u64,
}

/// A program and what it executed or mapped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// Index of the program's file; `None` for the container runtime.
    pub program: Option<usize>,
    /// Index of the other file.
    pub other: usize,
    /// How often.
    pub times: u64,
}

/// Tells the kernel program which bits of which arguments to keep.
pub(crate) fn set_masks(kernel: &mut Ebpf) -> Result<(), Error> {
    let failed = |error: MapError| Error::Tables(chain(&error));
    let map = kernel
        .map_mut("masks")
        .ok_or_else(|| Error::Tables("no table of masks".to_owned()))?;
    let mut masks: Array<_, [u64; 6]> = Array::try_from(map).map_err(failed)?;
    for call in confine_kernel::calls() {
        let mut bits = [0; 6];
        for (bits, argument) in bits.iter_mut().zip(confine_kernel::arguments(call.number)) {
            if argument.kind.is_restrictable() {
                *bits = argument.mask();
            }
        }
        if call.number < CALL_NUMBERS {
            masks.set(call.number, bits, 0).map_err(failed)?;
        }
    }
    Ok(())
}

/// Everything that was counted.
pub(crate) fn read(kernel: &Ebpf) -> Result<Observation, Error> {
    let state: Array<_, u64> = Array::try_from(map(kernel, "state")?).map_err(failed)?;
    let mut losses = Vec::new();
    for (index, what) in LOSSES {
        let count = state.get(&index, 0).map_err(failed)?;
        if count > 0 {
            losses.push(format!("{count} {what}"));
        }
    }
    if !losses.is_empty() {
        return Err(Error::Incomplete(losses.join("; ")));
    }

    let notes: HashMap<_, [u8; PATH], Note> = HashMap::try_from(map(kernel, "files")?).map_err(failed)?;
    let mut numbered = Vec::new();
    for entry in notes.iter() {
        let (path, [number, executions, size]) = entry.map_err(failed)?;
        let end = path.iter().position(|byte| *byte == 0).unwrap_or(PATH);
        let path = String::from_utf8_lossy(path.get(..end).unwrap_or_default()).into_owned();
        numbered.push((
            File {
                path,
                executions,
                size,
            },
            number,
        ));
    }
    numbered.sort_by(|(one, _), (other, _)| one.path.cmp(&other.path));
    let indices: BTreeMap<u64, usize> = (0..)
        .zip(&numbered)
        .map(|(index, (_, number))| (*number, index))
        .collect();
    let indices = Indices(indices);

    let counted: HashMap<_, CallKey, u64> = HashMap::try_from(map(kernel, "calls")?).map_err(failed)?;
    let mut calls = Vec::new();
    for entry in counted.iter() {
        let ([head, arguments @ ..], times) = entry.map_err(failed)?;
        let number = (head >> 32) as u32;
        calls.push(CallCount {
            program: indices.program(head & u64::from(u32::MAX))?,
            number: number & !COMPAT,
            compat: number & COMPAT != 0 && number != u32::MAX,
            arguments,
            times,
        });
    }
    calls.sort();

    let pairs: HashMap<_, PairKey, u64> = HashMap::try_from(map(kernel, "pairs")?).map_err(failed)?;
    let (mut executed, mut mapped) = (Vec::new(), Vec::new());
    for entry in pairs.iter() {
        let ([kind, program, other, _], times) = entry.map_err(failed)?;
        let pair = Pair {
            program: indices.program(u64::from(program))?,
            other: indices.file(u64::from(other))?,
            times,
        };
        match kind {
            0 => executed.push(pair),
            _ => mapped.push(pair),
        }
    }
    executed.sort();
    mapped.sort();
    Ok(Observation {
        files: numbered.into_iter().map(|(file, _)| file).collect(),
        calls,
        executed,
        mapped,
    })
}

/// Indices of files by the numbers that the kernel program gave them.
struct Indices(BTreeMap<u64, usize>);

impl Indices {
    fn file(&self, number: u64) -> Result<usize, Error> {
        let index = self.0.get(&number).copied();
        index.ok_or_else(|| Error::Tables(format!("file {number} has no name")))
    }

    /// 0 is the container runtime.
    fn program(&self, number: u64) -> Result<Option<usize>, Error> {
        match number {
            0 => Ok(None),
            number => self.file(number).map(Some),
        }
    }
}

fn map<'k>(kernel: &'k Ebpf, name: &str) -> Result<&'k Map, Error> {
    kernel
        .map(name)
        .ok_or_else(|| Error::Tables(format!("no table of {name}")))
}

fn failed(error: MapError) -> Error {
    Error::Tables(chain(&error))
}
