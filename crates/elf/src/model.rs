//! What an ELF object says, as plain values: nothing here borrows the file but its bytes.

use std::ops::Range;

use bytes::Bytes;

/// An address in the object's own address space (a link-time virtual address), not in any process.
pub type Address = u64;

/// One parsed ELF object.
///
/// Sections are a debugging aid that a stripped file may lack or lie about: whatever the loader uses comes
/// from the program headers and the dynamic table.
#[derive(Debug, Clone)]
pub struct Object {
    /// The whole file.
    pub bytes: Bytes,
    /// `e_machine` as a word: only x86-64 is analysed, others are named in the diagnosis.
    pub machine: Machine,
    /// How the loader places it.
    pub placement: Placement,
    /// `e_entry`; 0 if there is none.
    pub entry: Address,
    /// PT_INTERP.
    pub interpreter: Option<String>,
    /// PT_LOAD segments in address order, never overlapping.
    pub segments: Vec<Segment>,
    /// Named sections that occupy memory (SHF_ALLOC), in address order; empty if the file has none.
    pub sections: Vec<Section>,
    /// PT_TLS: the range of the initial thread-local image.
    pub thread_local: Option<Range<Address>>,
    /// PT_GNU_RELRO.
    pub read_only_after_relocation: Option<Range<Address>>,
    /// The dynamic table, empty for a static program without one.
    pub dynamic: Dynamic,
    /// .dynsym, index 0 (the null symbol) included so that relocations index it directly.
    pub dynamic_symbols: Vec<Symbol>,
    /// .symtab if the file is not stripped: names for people, and more functions and data objects.
    pub symbols: Vec<Symbol>,
    /// Every relocation, sorted by address: .rela.dyn, .rela.plt, RELR expanded, and for static programs
    /// `.rela.*` sections that apply to memory (IRELATIVE).
    pub relocations: Vec<Relocation>,
    /// Functions that .eh_frame describes, sorted by start.
    pub unwind: Vec<UnwindFunction>,
    /// Functions that Go's pclntab describes, sorted by start; empty for others.
    pub go_functions: Vec<GoFunction>,
    /// What was broken and left out, in words; the rest of the object is usable.
    pub problems: Vec<String>,
}

/// The processor an object is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Machine {
    /// EM_X86_64.
    X86_64,
    /// EM_386.
    X86,
    /// EM_AARCH64.
    Aarch64,
    /// Any other `e_machine`.
    Other(u16),
}

/// Where the loader may put an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Placement {
    /// ET_EXEC: addresses are final.
    Fixed,
    /// ET_DYN: a shared object or a position-independent program.
    Relocatable,
}

/// A PT_LOAD segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Addresses that it occupies (`p_vaddr .. p_vaddr + p_memsz`).
    pub addresses: Range<Address>,
    /// The bytes of the file behind its first addresses; the rest is zero.
    pub file: Range<usize>,
    /// PF_R.
    pub readable: bool,
    /// PF_W.
    pub writable: bool,
    /// PF_X.
    pub executable: bool,
}

impl Segment {
    fn is_read_only(&self) -> bool {
        self.readable && !self.writable
    }
}

/// A section that occupies memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its name; empty if the name table is gone.
    pub name: String,
    /// Addresses that it occupies.
    pub addresses: Range<Address>,
    /// SHF_WRITE.
    pub writable: bool,
    /// SHF_EXECINSTR.
    pub executable: bool,
    /// SHF_TLS: its addresses are offsets into a template and may overlap the next section's.
    pub thread_local: bool,
}

/// What the dynamic table says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dynamic {
    /// DT_NEEDED in order.
    pub needed: Vec<String>,
    /// DT_SONAME.
    pub soname: Option<String>,
    /// DT_RPATH, split at colons, not expanded.
    pub rpath: Vec<String>,
    /// DT_RUNPATH, split at colons, not expanded.
    pub runpath: Vec<String>,
    /// DT_INIT.
    pub init: Option<Address>,
    /// DT_FINI.
    pub fini: Option<Address>,
    /// DT_PLTGOT: the global offset table.
    pub offset_table: Option<Address>,
    /// DT_PREINIT_ARRAY, DT_INIT_ARRAY and DT_FINI_ARRAY: where the arrays of pointers lie.
    pub function_arrays: Vec<Range<Address>>,
    /// DT_RELA and DT_JMPREL: the tables of relocations, which only the loader reads.
    pub relocation_tables: Vec<Range<Address>>,
    /// DT_SYMTAB: where the table of dynamic symbols lies, which only the loader reads.
    pub symbol_table: Option<Address>,
    /// DF_SYMBOLIC or DT_SYMBOLIC: the object's own definitions come first.
    pub symbolic: bool,
    /// DT_FILTER and DT_AUXILIARY: objects whose definitions come before this one's own.
    pub filters: Vec<String>,
    /// DT_AUDIT and DT_DEPAUDIT, split at colons: auditing modules that the loader loads first.
    pub audit: Vec<String>,
    /// Whether there is a dynamic table at all.
    pub present: bool,
}

/// A symbol of .dynsym or .symtab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    /// Without any `@VERSION`.
    pub name: String,
    /// The version that it is defined with or that it asks for.
    pub version: Option<Version>,
    /// `st_value`; meaningless if not `defined`.
    pub address: Address,
    /// `st_size` in bytes.
    pub size: u64,
    /// `st_info` type.
    pub kind: SymbolKind,
    /// `st_info` binding.
    pub binding: Binding,
    /// STV_HIDDEN or STV_INTERNAL: not visible to other objects.
    pub hidden: bool,
    /// STV_PROTECTED: references from inside bind here.
    pub protected: bool,
    /// `st_shndx` is not SHN_UNDEF.
    pub defined: bool,
}

/// A symbol version.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version {
    /// e.g. `GLIBC_2.34`.
    pub name: String,
    /// `@` and not `@@`: references without a version do not bind to it.
    pub hidden: bool,
    /// The object's first version (index 2): references without a version bind to it, hidden or not.
    pub oldest: bool,
}

/// What a symbol names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SymbolKind {
    /// STT_NOTYPE.
    Untyped,
    /// STT_FUNC.
    Function,
    /// STT_OBJECT or STT_COMMON.
    Data,
    /// STT_TLS.
    ThreadLocal,
    /// STT_GNU_IFUNC: its value is a function that returns the function.
    Indirect,
    /// Sections, files and the rest.
    Other,
}

/// How a symbol binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Binding {
    /// STB_LOCAL.
    Local,
    /// STB_GLOBAL or STB_GNU_UNIQUE.
    Global,
    /// STB_WEAK.
    Weak,
}

/// A relocation that the loader (or a static program's start-up code) applies to memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relocation {
    /// Where it is applied.
    pub at: Address,
    /// What is written there.
    pub value: RelocationValue,
}

/// What a relocation writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelocationValue {
    /// An address in this object (R_X86_64_RELATIVE, RELATIVE64, RELR).
    Address(Address),
    /// What the resolver at this address returns (R_X86_64_IRELATIVE).
    Resolved(Address),
    /// The address of a symbol plus an addend (R_X86_64_64, GLOB_DAT, JUMP_SLOT, 32, 32S, PC32, …).
    Symbol {
        /// Index into `dynamic_symbols`.
        symbol: u32,
        /// Added to the symbol's address.
        addend: i64,
    },
    /// A copy of a data symbol's initial contents (R_X86_64_COPY).
    Copy {
        /// Index into `dynamic_symbols`.
        symbol: u32,
    },
    /// A thread-local offset, module or descriptor: no code or data address, unless the descriptor of TLSDESC.
    ThreadLocal,
    /// A type that this reader does not know: the raw number, kept so that nobody drops it silently.
    Unknown(u32),
}

/// A function as .eh_frame describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnwindFunction {
    /// Its code.
    pub code: Range<Address>,
    /// Where exceptions continue inside it or in a part split off from it, sorted, from its language-specific
    /// data (the call-site table of .gcc_except_table).
    pub landing_pads: Vec<Address>,
    /// It is a signal trampoline (augmentation `S`).
    pub signal_frame: bool,
}

/// A function of Go's pclntab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoFunction {
    /// Its code, up to the next function.
    pub code: Range<Address>,
    /// e.g. `runtime.futex.abi0` without the suffix that the linker strips.
    pub name: String,
}

impl Object {
    /// The addresses that code may mean by the global offset table: linkers let it begin at the section for stubs, and
    /// at the other one if there is none; the dynamic table names it if there are stubs.
    pub fn offset_tables(&self) -> impl Iterator<Item = Address> {
        let named = |name: &str| self.sections.iter().find(|section| section.name == name);
        let section = named(".got.plt").or_else(|| named(".got"));
        section
            .map(|section| section.addresses.start)
            .into_iter()
            .chain(self.dynamic.offset_table)
    }

    /// The tables of dynamic symbols and of relocations, which only the loader reads.
    #[must_use]
    pub fn loader_tables(&self) -> Vec<Range<Address>> {
        let symbols = self.dynamic.symbol_table.map(|start| {
            let size = (self.dynamic_symbols.len() as u64).saturating_mul(crate::symbols::SYMBOL_SIZE);
            start..start.saturating_add(size)
        });
        let tables = self.dynamic.relocation_tables.iter().cloned();
        tables.chain(symbols).collect()
    }

    /// Whether the object's own code runs before its data is relocated and protected: a dynamic loader and a static
    /// program. What may be read only after relocation is written by such code before (glibc: `attribute_relro`).
    #[must_use]
    pub fn relocates_itself(&self) -> bool {
        self.interpreter.is_none() && self.dynamic.needed.is_empty() && self.entry != 0
    }

    /// The bytes of the file in each segment that may be read and never written.
    pub fn read_only_data(&self) -> impl Iterator<Item = &[u8]> {
        self.segments
            .iter()
            .filter(|segment| segment.is_read_only())
            .filter_map(|segment| self.bytes.get(segment.file.clone()))
    }

    /// Whether nothing writes the bytes from `address` on once the loader is done, and none of the object's code runs before.
    #[must_use]
    pub fn never_changes(&self, address: Address, bytes: u64) -> bool {
        self.segment_at(address).is_some_and(Segment::is_read_only)
            || !self.relocates_itself() && self.is_protected_later(address, bytes)
    }

    /// Whether the bytes from `address` on can only be read once the object has been relocated (PT_GNU_RELRO).
    #[must_use]
    pub fn is_protected_later(&self, address: Address, bytes: u64) -> bool {
        let end = address.saturating_add(bytes);
        let range = self.read_only_after_relocation.as_ref();
        range.is_some_and(|range| range.start <= address && end <= range.end)
    }

    /// The first relocation that the loader writes some of the bytes from `address` on by.
    #[must_use]
    pub fn relocation_over(&self, address: Address, bytes: u64) -> Option<&Relocation> {
        /// What a relocation writes at most.
        const WORD: u64 = 8;
        let from = self
            .relocations
            .partition_point(|relocation| relocation.at.saturating_add(WORD) <= address);
        let end = address.saturating_add(bytes);
        self.relocations
            .get(from)
            .filter(|relocation| relocation.at < end)
    }

    /// The segment that holds `address`.
    #[must_use]
    pub fn segment_at(&self, address: Address) -> Option<&Segment> {
        let index = self
            .segments
            .partition_point(|segment| segment.addresses.end <= address);
        self.segments
            .get(index)
            .filter(|segment| segment.addresses.contains(&address))
    }

    /// Whether `address` lies in a segment that may be executed.
    #[must_use]
    pub fn is_code(&self, address: Address) -> bool {
        self.segment_at(address).is_some_and(|segment| segment.executable)
    }

    /// The bytes of the file from `address` to the end of its segment's part in the file; empty if there are
    /// none (outside every segment, or in its zero-filled tail).
    #[must_use]
    pub fn bytes_at(&self, address: Address) -> &[u8] {
        let Some(segment) = self.segment_at(address) else {
            return &[];
        };
        let Ok(offset) = usize::try_from(address - segment.addresses.start) else {
            return &[];
        };
        self.bytes
            .get(segment.file.clone())
            .and_then(|bytes| bytes.get(offset..))
            .unwrap_or(&[])
    }

    /// The eight bytes at `address`, little-endian, as the file holds them (before relocation).
    #[must_use]
    pub fn word_at(&self, address: Address) -> Option<u64> {
        self.bytes_at(address)
            .first_chunk()
            .map(|bytes| u64::from_le_bytes(*bytes))
    }
}
