//! From a graph of decisions to instructions.
//!
//! Instructions are laid down from the last to the first, so that the targets of every jump stand already. A node is a
//! test and, before it, what fetches the word that it compares; whoever comes with the accumulator filled alike enters
//! behind that. A conditional jump reaches 255 instructions: an answer further away is repeated next to the jump, any
//! other target is reached by an unconditional jump, which a later test in reach may use as well.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::Instruction;
use crate::graph::{Comparison, Content, Graph, Node, NodeId, Test};
use crate::instruction::code;

/// How far a conditional jump reaches, less the two unconditional ones that may come between.
const REACH: usize = 253;

/// Where a node is entered, by what the accumulator holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Entry {
    /// What the node compares.
    Ready,
    /// The whole word of which it compares some bits.
    Unmasked,
    /// Anything else.
    Other,
}

type Target = (NodeId, Entry);

/// The instructions of what `root` decides.
pub(crate) fn emit(graph: &Graph, root: NodeId) -> Vec<Instruction> {
    let mut listing = Listing::default();
    let order = graph.order(root);
    let wanted = wanted(graph, &order, root);
    for id in order {
        match graph.node(id) {
            Node::Return(word) => listing.answer(id, word),
            Node::Test(test) => listing.test(graph, id, &test, &wanted),
        }
    }
    listing.backwards.reverse();
    listing.backwards
}

/// Which ways into nodes are used.
fn wanted(graph: &Graph, order: &[NodeId], root: NodeId) -> FxHashSet<Target> {
    let mut wanted = FxHashSet::default();
    wanted.insert((root, Entry::Other));
    for id in order {
        if let Node::Test(test) = graph.node(*id) {
            for next in [test.yes, test.no] {
                wanted.insert((next, entry(graph, test.content, next)));
            }
        }
    }
    wanted
}

/// Where a node is entered with the accumulator filled so.
fn entry(graph: &Graph, held: Content, next: NodeId) -> Entry {
    match graph.node(next) {
        Node::Return(_) => Entry::Ready,
        Node::Test(test) if test.content == held => Entry::Ready,
        Node::Test(test) if held == Content::word(test.content.offset) => Entry::Unmasked,
        Node::Test(_) => Entry::Other,
    }
}

/// Instructions from the last one on. Positions count from there, too.
#[derive(Default)]
struct Listing {
    backwards: Vec<Instruction>,
    places: FxHashMap<Target, usize>,
    /// The nearest unconditional jumps to targets.
    detours: FxHashMap<Target, usize>,
}

impl Listing {
    fn answer(&mut self, id: NodeId, word: u32) {
        self.place((id, Entry::Ready), Instruction::plain(code::RETURN, word));
    }

    fn test(&mut self, graph: &Graph, id: NodeId, test: &Test, wanted: &FxHashSet<Target>) {
        let [yes, no] = [test.yes, test.no].map(|next| (next, entry(graph, test.content, next)));
        for target in [yes, no] {
            self.bring_near(graph, target);
        }
        let code = match test.comparison {
            Comparison::Equal => code::IF_EQUAL,
            Comparison::AtLeast => code::IF_AT_LEAST,
            Comparison::AnyBit => code::IF_ANY_BIT,
        };
        let instruction = Instruction {
            code,
            jt: self.distance(yes) as u8,
            jf: self.distance(no) as u8,
            k: test.operand,
        };
        self.place((id, Entry::Ready), instruction);
        let wants = |entry| wanted.contains(&(id, entry));
        if test.content.mask != u32::MAX && (wants(Entry::Unmasked) || wants(Entry::Other)) {
            self.place(
                (id, Entry::Unmasked),
                Instruction::plain(code::AND, test.content.mask),
            );
        }
        if wants(Entry::Other) {
            self.place(
                (id, Entry::Other),
                Instruction::plain(code::LOAD, test.content.offset),
            );
        }
    }

    /// Sees to it that a conditional jump which is laid down next, or next but one, reaches the target.
    fn bring_near(&mut self, graph: &Graph, target: Target) {
        if self.distance(target) <= REACH {
            return;
        }
        match graph.node(target.0) {
            Node::Return(word) => self.place(target, Instruction::plain(code::RETURN, word)),
            Node::Test(_) => {
                let place = self.places.get(&target).copied().unwrap_or_default();
                // No filter is as long as a distance can be.
                let distance = u32::try_from(self.distance_to(place)).unwrap_or(u32::MAX);
                self.detours.insert(target, self.backwards.len());
                self.backwards.push(Instruction::plain(code::JUMP, distance));
            }
        }
    }

    /// How many instructions a jump that is laid down next skips to come to the target, or to a jump to it where it is
    /// out of reach.
    fn distance(&self, target: Target) -> usize {
        let place = self.places.get(&target).copied().unwrap_or_default();
        let distance = self.distance_to(place);
        match self.detours.get(&target) {
            Some(detour) if distance > REACH + 2 => self.distance_to(*detour),
            _ => distance,
        }
    }

    fn distance_to(&self, place: usize) -> usize {
        self.backwards.len() - 1 - place
    }

    fn place(&mut self, target: Target, instruction: Instruction) {
        self.places.insert(target, self.backwards.len());
        self.backwards.push(instruction);
    }
}
