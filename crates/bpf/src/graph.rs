//! Decisions as a graph: tests with two ways on, and answers at the ends. Equal parts are one node.

use rustc_hash::FxHashMap;

use crate::CallData;

/// What the accumulator holds: a word of the call's data, or some of its bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Content {
    /// Where the word stands.
    pub(crate) offset: u32,
    /// The bits that are kept; the others are 0.
    pub(crate) mask: u32,
}

impl Content {
    /// A whole word.
    pub(crate) fn word(offset: u32) -> Self {
        Self {
            offset,
            mask: u32::MAX,
        }
    }
}

/// How the accumulator is compared with an operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Comparison {
    /// They are equal.
    Equal,
    /// It is not less.
    AtLeast,
    /// They have a bit in common.
    AnyBit,
}

/// The place of a node in its graph. What a node leads to has a smaller one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(usize);

/// One decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    /// The answer is this word.
    Return(u32),
    /// It depends.
    Test(Test),
}

/// A comparison of what the call's data hold with a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Test {
    /// What is compared.
    pub(crate) content: Content,
    /// How.
    pub(crate) comparison: Comparison,
    /// With what.
    pub(crate) operand: u32,
    /// What follows if that holds.
    pub(crate) yes: NodeId,
    /// What follows if not.
    pub(crate) no: NodeId,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decided {
    pub(crate) answer: u32,
    /// How many instructions that takes, without jumps that are needed for distance alone.
    pub(crate) executed: u64,
}

/// Nodes, each of which is there once.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    nodes: Vec<Node>,
    known: FxHashMap<Node, NodeId>,
}

impl Graph {
    /// The node that answers `word`.
    pub(crate) fn answer(&mut self, word: u32) -> NodeId {
        self.intern(Node::Return(word))
    }

    /// The node of a test; where both ways lead to the same, that.
    pub(crate) fn test(&mut self, test: Test) -> NodeId {
        if test.yes == test.no {
            return test.yes;
        }
        self.intern(Node::Test(test))
    }

    /// The node of a test for one value.
    pub(crate) fn equal(&mut self, content: Content, operand: u32, yes: NodeId, no: NodeId) -> NodeId {
        self.compare(content, Comparison::Equal, operand, yes, no)
    }

    /// The node of a test for all values from one on.
    pub(crate) fn at_least(&mut self, content: Content, operand: u32, yes: NodeId, no: NodeId) -> NodeId {
        self.compare(content, Comparison::AtLeast, operand, yes, no)
    }

    fn compare(
        &mut self,
        content: Content,
        comparison: Comparison,
        operand: u32,
        yes: NodeId,
        no: NodeId,
    ) -> NodeId {
        self.test(Test {
            content,
            comparison,
            operand,
            yes,
            no,
        })
    }

    /// A node of this graph.
    pub(crate) fn node(&self, id: NodeId) -> Node {
        // Ids only come from this graph, whose nodes never go; an answer of 0 ends the thread.
        self.nodes.get(id.0).copied().unwrap_or(Node::Return(0))
    }

    /// What becomes of a call from `root` on, come to with the accumulator filled by something else.
    pub(crate) fn decide(&self, root: NodeId, call: &CallData) -> Decided {
        let mut executed = 1;
        let mut held = None;
        let mut at = root;
        // What a node leads to has a smaller place.
        loop {
            let test = match self.node(at) {
                Node::Return(answer) => return Decided { answer, executed },
                Node::Test(test) => test,
            };
            let Content { offset, mask } = test.content;
            if held != Some(test.content) {
                executed += u64::from(held != Some(Content::word(offset))) + u64::from(mask != u32::MAX);
            }
            executed += 1;
            held = Some(test.content);
            let word = call.word(offset).unwrap_or_default() & mask;
            let holds = match test.comparison {
                Comparison::Equal => word == test.operand,
                Comparison::AtLeast => word >= test.operand,
                Comparison::AnyBit => word & test.operand != 0,
            };
            at = if holds { test.yes } else { test.no };
        }
    }

    /// What can be reached from `root`, each node behind all that it leads to. Of the two ways on from a test, the one that
    /// needs fewer nodes comes last, next to the test.
    pub(crate) fn order(&self, root: NodeId) -> Vec<NodeId> {
        let sizes = self.sizes(root);
        let size = |id: NodeId| sizes.get(id.0).copied().unwrap_or_default();
        let mut order = Vec::new();
        let mut seen = vec![false; root.0 + 1];
        // A node is met twice: first its ways on are put before it, then it is kept.
        let mut open = vec![(root, false)];
        while let Some((id, expanded)) = open.pop() {
            if expanded {
                order.push(id);
                continue;
            }
            let Some(flag) = seen.get_mut(id.0).filter(|seen| !**seen) else {
                continue;
            };
            *flag = true;
            open.push((id, true));
            if let Node::Test(test) = self.node(id) {
                let (near, far) = match size(test.yes) < size(test.no) {
                    true => (test.yes, test.no),
                    false => (test.no, test.yes),
                };
                open.push((near, false));
                open.push((far, false));
            }
        }
        order
    }

    /// For each node up to `root` about how many lie below it, shared ones counted for each way to them.
    fn sizes(&self, root: NodeId) -> Vec<usize> {
        let mut sizes: Vec<usize> = Vec::with_capacity(root.0 + 1);
        for node in self.nodes.iter().take(root.0 + 1) {
            let size = |id: NodeId| sizes.get(id.0).copied().unwrap_or_default();
            let own = match node {
                Node::Return(_) => 1,
                Node::Test(test) => size(test.yes).saturating_add(size(test.no)).saturating_add(1),
            };
            sizes.push(own);
        }
        sizes
    }

    fn intern(&mut self, node: Node) -> NodeId {
        let next = NodeId(self.nodes.len());
        let id = *self.known.entry(node).or_insert(next);
        if id == next {
            self.nodes.push(node);
        }
        id
    }
}
