//! What a report holds. Objects and programs are listed once and named by their index elsewhere.

use confine_assumption::{Assumption, Effect};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Word;

/// Everything that the analysis of one image found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// What this file is: `confine-report`.
    pub schema: String,
    /// The version of the schema; it grows whenever a reader of the older one could misunderstand a file.
    pub version: u32,
    /// The version of confine that made the report.
    pub confine: String,
    /// The kernel version whose table of system calls was used.
    pub kernel_table: String,
    /// The image.
    pub image: Image,
    /// The only program that was analysed, as the user named it; absent if the policy is for the whole container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// The container runtime that the policy is made for: `runc`, `crun`, `any` or `none`.
    pub runtime: String,
    /// Every ELF object that some program loads, by path.
    pub objects: Vec<Object>,
    /// Every script that the container can run, by path.
    pub scripts: Vec<Script>,
    /// Every program that the container can run, by path.
    pub programs: Vec<Program>,
    /// Calls that are allowed for the sake of the kernel or the container runtime, by name.
    pub runtime_calls: Vec<RuntimeCall>,
    /// Calls that are allowed only because something could not be resolved, by name.
    pub widened: Vec<Widened>,
    /// Calls that are allowed, with some arguments or at all, only because they were observed, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observed: Vec<Observed>,
    /// The policy for the container: every allowed call, by number.
    pub allowed: Vec<Allowed>,
    /// Calls of which the profile that was written with this report allows more than `allowed` says, by number, as its form
    /// holds only so many combinations of arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coarser: Vec<Coarser>,
    /// What could not be resolved anywhere in the image.
    pub assumptions: Vec<Assumption>,
}

impl Report {
    /// Whether something could not be resolved that the user did not say to trust.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        let mut effects = self.assumptions.iter().map(|assumption| assumption.effect);
        effects.any(|effect| effect != Effect::Trusted)
    }
}

/// The image that was analysed, with what the user set in place of its configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Image {
    /// The reference that it was opened by.
    pub reference: String,
    /// The digest of its manifest or configuration, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The architecture as OCI spells it, e.g. `amd64`.
    pub architecture: String,
    /// Entry point and command.
    pub command_line: Vec<String>,
    /// The user that the container runs as; empty means root.
    pub user: String,
    /// The folder that the command line starts in.
    pub workdir: String,
    /// Names of the environment variables, by name. Their values are left out: they may be secret.
    pub environment: Vec<String>,
}

/// An ELF object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Object {
    /// The path in the image, every symbolic link followed.
    pub path: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// How many bytes of machine code were decoded in it.
    pub code_bytes: u64,
    /// What the loader takes it for.
    pub kind: ObjectKind,
}

/// What the loader takes an object for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectKind {
    /// A program that the kernel starts without an interpreter.
    StaticProgram,
    /// A program that the kernel starts through an interpreter, the dynamic loader.
    DynamicProgram,
    /// A library or a dynamic loader.
    SharedObject,
}

/// A script that the container can run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Script {
    /// The path in the image, every symbolic link followed.
    pub path: String,
    /// What interprets it.
    pub interpreter: String,
    /// How it was found, the shortest way first.
    pub found: Vec<Found>,
}

/// One way in which a program or script was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Found {
    /// Where: `Entrypoint`, `Cmd`, `Healthcheck`, `--also`, or `script:line`.
    pub place: String,
    /// How, in words.
    pub how: String,
    /// The script or program that leads here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
}

/// A program that the container can run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Program {
    /// The path in the image, every symbolic link followed.
    pub path: String,
    /// Names that it is called by, sorted.
    pub invoked: Vec<String>,
    /// Argument lists that it is known to be called with, sorted.
    pub arguments: Vec<Vec<String>>,
    /// How it was found, the shortest way first.
    pub found: Vec<Found>,
    /// What it loads, in the loader's order.
    pub objects: Vec<LoadedObject>,
    /// Every call that it can reach, by number.
    pub calls: Vec<Call>,
    /// Indices of the programs that it can execute, ascending; where it executes or interprets a script, those that the
    /// script executes and its interpreter. What those execute in turn is with them.
    pub executes: Vec<usize>,
    /// Whether it, or a script that it executes or interprets, can also execute something that is not known.
    pub executes_unknown: bool,
    /// What could not be resolved in it.
    pub assumptions: Vec<Assumption>,
}

/// An object as one program loads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LoadedObject {
    /// Index into the report's objects.
    pub object: usize,
    /// Why it is loaded, in words.
    pub reason: String,
}

/// A call that a program can reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Call {
    /// The call's number.
    pub number: u32,
    /// The call's name.
    pub name: String,
    /// How many places in the program's reachable code make it.
    pub sites: u64,
    /// A shortest way from the program's start to one of those places.
    pub chain: Vec<Step>,
    /// Every combination of arguments that it is made with; one without restrictions if some place may pass anything;
    /// none if the call has no arguments that say what it does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<Combination>,
    /// The call that is made in place of this one where the kernel answers ENOSYS, if every place does so: no policy
    /// allows this one for the program's sake then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub falls_back_to: Option<String>,
}

/// Arguments that a call is made with in some place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Combination {
    /// What is known of its arguments, by index; any other argument may be anything.
    pub restrictions: Vec<Restriction>,
    /// A shortest way from the program's start, through the function that knows them.
    pub chain: Vec<Step>,
}

/// What one argument is: under the mask one of the values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Restriction {
    /// Which argument, from 0.
    pub index: u32,
    /// Its name in the kernel.
    pub name: String,
    /// The bits that are compared.
    pub mask: Word,
    /// What they may be, ascending.
    pub values: Vec<Word>,
}

/// One function on the way to a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Index into the report's objects.
    pub object: usize,
    /// The function's name, or `+0x…` as offset from the object's start where it has none.
    pub function: String,
    /// The instruction of this function that leads on: to the next step, or in the last step into the kernel.
    pub address: Word,
    /// How this function is reached: from the step before, or in the first step from the system.
    pub how: String,
}

/// A call that is allowed for the sake of the kernel or the container runtime.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct RuntimeCall {
    /// The call's name.
    pub name: String,
    /// Who needs it: `kernel`, `runc` or `crun`.
    pub requester: String,
    /// What for.
    pub reason: String,
    /// The arguments with which it is made, all of a list at once; any if there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<Vec<Restriction>>,
}

/// A call that is allowed because something could not be resolved.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Widened {
    /// The call's name.
    pub name: String,
    /// What could not be resolved, and where.
    pub because: String,
}

/// A call of which a profile allows more than the policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Coarser {
    /// The call's name.
    pub name: String,
    /// How many combinations of conditions the policy has of it.
    pub combinations: u64,
    /// How many the profile has in their place; 0 if it allows any arguments.
    pub left: u64,
}

/// A call that is allowed because a container of the image was seen to make it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Observed {
    /// The call's name.
    pub name: String,
    /// Who made it: a program's path.
    pub by: String,
    /// The arguments that it was made with, as far as they say what it does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<Restriction>,
}

/// A call that the policy allows, and for whose sake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Allowed {
    /// The call's number.
    pub number: u32,
    /// The call's name.
    pub name: String,
    /// Indices of the programs that can reach it, ascending.
    pub by: Vec<usize>,
    /// Whether the kernel or the container runtime needs it.
    pub runtime: bool,
    /// Whether something that could not be resolved may need it.
    pub widened: bool,
    /// Whether it, or some of its arguments, is allowed only because it was observed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub observed: bool,
    /// The combinations of arguments that it is allowed with, sorted; empty if it is with any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<Vec<Restriction>>,
}
