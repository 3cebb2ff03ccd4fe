//! What a record holds. Files are listed once and named by their index elsewhere.

use confine_report::Word;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the containers of one image were seen to do, nothing left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// What this file is: `confine-record`.
    pub schema: String,
    /// The version of the schema; it grows whenever a reader of the older one could misunderstand a file.
    pub version: u32,
    /// The version of confine that made the record.
    pub confine: String,
    /// The kernel version whose table of system calls was used.
    pub kernel_table: String,
    /// The release of the kernel that counted.
    pub kernel: String,
    /// The image.
    pub image: Image,
    /// How its container was led.
    pub session: Session,
    /// Every file that was executed or mapped executable, by path.
    pub files: Vec<File>,
    /// Every program that was executed, by path.
    pub programs: Vec<Program>,
    /// What the container runtime called in the container before it executed the image's programs, most of it before
    /// it would install a filter.
    pub runtime: Vec<Call>,
}

/// The image that was observed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Image {
    /// What the engine knows it by.
    pub reference: String,
    /// The digest of its manifest or configuration, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// How the container was started, visited and ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// Who started it: `docker`, `podman`, `runc` or `crun`.
    pub engine: String,
    /// The command line that visited it, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// The workload's exit code; absent if there was none, if the container ended before it, or if a signal ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload_exit: Option<i32>,
    /// Whether the image's own check was passed; absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy: Option<bool>,
    /// How the container ended.
    pub ended: Ended,
    /// Its exit code.
    pub exit: i32,
}

/// How a container ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// By itself.
    Itself,
    /// When it was asked to.
    Stopped,
    /// It was killed, as it did not end when it was asked to.
    Killed,
}

/// A file that was executed or mapped executable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct File {
    /// Its path as the container sees it, every symbolic link followed; without a slash in front if it lies in no
    /// folder, as `memfd:NAME`.
    pub path: String,
    /// How many bytes it had when it was met first.
    pub bytes: u64,
    /// SHA-256 of the image's file of that path and size, in hexadecimal; absent if the image has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// A program that was executed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Program {
    /// Index of its file.
    pub file: usize,
    /// How often it was executed.
    pub executions: u64,
    /// Who executed it.
    pub executed_by: Vec<Executor>,
    /// Indices of the files that it mapped executable, ascending; its own is there if it has no interpreter.
    pub objects: Vec<usize>,
    /// What it called, by number.
    pub calls: Vec<Call>,
}

/// Who executed a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Executor {
    /// Index of its file; absent for the container runtime, which starts the container's first program and each that is
    /// executed in it from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<usize>,
    /// How often.
    pub times: u64,
}

/// A call that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Call {
    /// The call's number.
    pub number: u32,
    /// The call's name; `call N` if the table has none of that number, with ` of the 32-bit table` if it is of that.
    pub name: String,
    /// How often it was made.
    pub times: u64,
    /// The values of those of its arguments that say what it does; empty if it has no such arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<Seen>,
}

/// Values of arguments that a call was made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Seen {
    /// The values, by index.
    pub values: Vec<Value>,
    /// How often it was made with them.
    pub times: u64,
}

/// The value of an argument.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Value {
    /// Which argument, from 0.
    pub index: u32,
    /// Its name in the kernel.
    pub name: String,
    /// Its value, as far as the kernel reads it.
    pub value: Word,
}

impl Call {
    /// Whether the call is of the table that the image's programs are analysed by.
    #[must_use]
    pub fn is_known(&self) -> bool {
        confine_kernel::name(self.number) == Some(self.name.as_str())
    }
}

impl Seen {
    /// The values as pairs of index and value.
    #[must_use]
    pub fn pairs(&self) -> Vec<(u32, u64)> {
        pairs(&self.values)
    }
}

/// Values as pairs of index and value.
pub(crate) fn pairs(values: &[Value]) -> Vec<(u32, u64)> {
    values.iter().map(|value| (value.index, value.value.0)).collect()
}

impl File {
    /// Whether it lies in some folder.
    #[must_use]
    pub fn has_place(&self) -> bool {
        self.path.starts_with('/')
    }
}
