//! One program's objects with their facts, addressed by one running number per function.

use std::sync::{Arc, OnceLock};

use confine_code::{Facts, Reference};
use confine_elf::{Address, Object, RelocationValue, SymbolKind};
use confine_link::opaque::OpaqueState;
use confine_link::{Binding, Linked, LinkedObject, LoadReason};

use crate::WantedArguments;

/// What a program is solved from.
#[derive(Debug, Clone)]
pub struct Input<'a> {
    /// Its objects as the loader binds them.
    pub linked: &'a Linked,
    /// The facts of each object, in the same order.
    pub facts: &'a [Arc<Facts>],
    /// What is looked up by name in objects, beyond what relocations bind.
    pub late_roots: &'a [LateRoot],
    /// Which addresses in data count.
    pub address_taken: AddressTaken,
    /// States that only some functions set.
    pub opaque: &'a [OpaqueState],
    /// Functions that count only as late roots, though code of their own object names them: object and index into
    /// its dynamic symbols.
    pub configured: &'a [(usize, u32)],
    /// Cells of data that nobody reads, sorted: object and address. What they point to is not reached by them.
    pub unread: &'a [(usize, Address)],
    /// Functions whose string arguments are wanted, by exported name.
    pub interfaces: &'a [crate::Interface],
    /// Which arguments of the calls are wanted.
    pub arguments: WantedArguments,
}

/// A symbol that something looks up by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LateRoot {
    /// The object that defines it.
    pub object: usize,
    /// Index into its dynamic symbols.
    pub symbol: u32,
    /// Who looks it up, in words.
    pub reason: String,
    /// The ways in which it is called, if these are known and nobody else can have its address: nothing else is said of any
    /// argument than by one of them.
    pub ways: Vec<GivenArguments>,
}

/// Arguments that are known where a function is called, in one way.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct GivenArguments(
    /// Which argument, from 0, as the System V psABI counts those in general registers, and its low four bytes.
    pub Vec<(usize, u32)>,
);

/// Which code addresses stored in data count as taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AddressTaken {
    /// Those in data that is reached.
    #[default]
    Reached,
    /// All.
    All,
}

/// A function of some object of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Node(u32);

/// The objects and facts, with functions numbered through.
pub(crate) struct Program<'a> {
    pub(crate) linked: &'a Linked,
    pub(crate) facts: &'a [Arc<Facts>],
    /// Number of the first function of each object, and one past the last.
    first: Vec<u32>,
    /// Whether any object stands in for another one on better processors.
    has_variants: bool,
    /// For each object, what its dynamic symbols bind to, looked up when first asked for.
    bindings: Vec<Vec<OnceLock<Binding>>>,
}

/// What a stored or mentioned value designates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Designation {
    /// A function.
    Function(Node),
    /// So many bytes of data of an object; 0 if the size is not known.
    Data {
        object: usize,
        address: Address,
        size: u64,
    },
}

fn unbound(object: &LinkedObject) -> Vec<OnceLock<Binding>> {
    object
        .elf
        .dynamic_symbols
        .iter()
        .map(|_| OnceLock::new())
        .collect()
}

impl Node {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

impl<'a> Program<'a> {
    pub(crate) fn new(input: &Input<'a>) -> Self {
        let mut first = vec![0];
        for facts in input.facts {
            let next = first.last().copied().unwrap_or(0) + u32::try_from(facts.functions.len()).unwrap_or(0);
            first.push(next);
        }
        let is_variant = |object: &LinkedObject| matches!(object.reason, LoadReason::Variant { .. });
        Self {
            has_variants: input.linked.objects.iter().any(is_variant),
            linked: input.linked,
            facts: input.facts,
            first,
            bindings: input.linked.objects.iter().map(unbound).collect(),
        }
    }

    /// What a symbol of an object binds to.
    pub(crate) fn resolve(&self, object: usize, symbol: u32) -> Binding {
        let known = self
            .bindings
            .get(object)
            .and_then(|bindings| bindings.get(symbol as usize));
        let resolve = || self.linked.resolve(object, symbol);
        known.map_or_else(resolve, |known| *known.get_or_init(resolve))
    }

    pub(crate) fn function_count(&self) -> usize {
        self.first.last().map_or(0, |count| *count as usize)
    }

    pub(crate) fn elf(&self, object: usize) -> &'a Object {
        &self.linked.objects[object].elf
    }

    /// The object that a function belongs to, and its index there.
    pub(crate) fn locate(&self, node: Node) -> (usize, usize) {
        let object = self.first.partition_point(|first| *first <= node.0) - 1;
        (object, (node.0 - self.first[object]) as usize)
    }

    pub(crate) fn function(&self, node: Node) -> &'a confine_code::Function {
        let (object, index) = self.locate(node);
        &self.facts[object].functions[index]
    }

    /// Whether an instruction runs in this program: one of its interpreter may be for when that is the program itself.
    pub(crate) fn runs(&self, object: usize, at: Address) -> bool {
        self.linked.objects[object].reason != LoadReason::Interpreter
            || !self.facts[object].is_dormant(self.elf(object), at)
    }

    /// Every function of an object.
    pub(crate) fn functions(
        &self,
        object: usize,
    ) -> impl Iterator<Item = (Node, &'a confine_code::Function)> {
        let nodes = (self.first[object]..).map(Node);
        nodes.zip(&self.facts[object].functions)
    }

    pub(crate) fn node_at(&self, object: usize, address: Address) -> Option<Node> {
        let index = self.facts.get(object)?.function_at(address)?;
        Some(Node(self.first[object] + u32::try_from(index).ok()?))
    }

    /// The function that a reference in `object` leads to.
    pub(crate) fn target(&self, object: usize, reference: &Reference) -> Option<Node> {
        Some(Node(self.first[object] + reference.function?.get()))
    }

    /// What a reference in `object` mentions.
    pub(crate) fn mentioned(&self, object: usize, reference: &Reference) -> Option<Designation> {
        match self.target(object, reference) {
            Some(node) => Some(Designation::Function(node)),
            None => self.data_at(object, reference.target),
        }
    }

    /// What an address of an object is: code, data that leads on, or neither.
    pub(crate) fn designate(&self, object: usize, address: Address) -> Option<Designation> {
        match self.node_at(object, address) {
            Some(node) => Some(Designation::Function(node)),
            None => self.data_at(object, address),
        }
    }

    fn data_at(&self, object: usize, address: Address) -> Option<Designation> {
        let leads_on = self.facts.get(object)?.points_on(address);
        leads_on.then_some(Designation::Data {
            object,
            address,
            size: 0,
        })
    }

    /// What a value stored in `object`'s data designates once the loader has bound it: the variants for better
    /// processors count beside the definition itself.
    pub(crate) fn designate_stored(&self, object: usize, value: RelocationValue) -> Vec<Designation> {
        match value {
            RelocationValue::Address(address) | RelocationValue::Resolved(address) => {
                self.designate(object, address).into_iter().collect()
            }
            RelocationValue::Symbol { symbol, addend } => {
                self.designate_symbol(self.resolve(object, symbol), addend)
            }
            RelocationValue::Copy { symbol } => {
                self.designate_symbol(self.linked.resolve_copy(object, symbol), 0)
            }
            RelocationValue::ThreadLocal | RelocationValue::Unknown(_) => Vec::new(),
        }
    }

    fn designate_symbol(&self, binding: Binding, addend: i64) -> Vec<Designation> {
        let Binding::Defined { object, symbol, .. } = binding else {
            return Vec::new();
        };
        let variants = if self.has_variants {
            self.linked.variants(object, symbol)
        } else {
            Vec::new()
        };
        std::iter::once((object, symbol))
            .chain(variants)
            .filter_map(|(object, index)| {
                let symbol = self.elf(object).dynamic_symbols.get(index as usize)?;
                if symbol.kind == SymbolKind::ThreadLocal {
                    return None;
                }
                let found = self.designate(object, symbol.address.wrapping_add_signed(addend));
                Some(match found? {
                    // The loader binds to exactly this object: its own size is its boundary.
                    Designation::Data { object, address, .. } if addend == 0 => Designation::Data {
                        object,
                        address,
                        size: symbol.size,
                    },
                    other => other,
                })
            })
            .collect()
    }
}
