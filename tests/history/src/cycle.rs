//! Transactions of which each comes before the next, and the last before the first.

use std::collections::VecDeque;

use crate::graph::{Arrow, Graph};
use crate::happened::Happened;
use crate::place::Rows;
use crate::violation::Violation;

/// How many edges are looked at for a shorter cycle than the shortest so far. Only histories with long cycles alone come near it: none that is longer than the best is followed.
const PATIENCE: usize = 10_000_000;

/// The shortest cycle, if there is any.
pub(crate) fn shortest(rows: &Rows<'_>, happened: &Happened) -> Option<Violation> {
    let graph = Graph::of(rows, happened);
    let components = components(&graph);
    let mut search = Search {
        graph: &graph,
        components: &components.of,
        reached_by: vec![None; graph.nodes()],
        round: vec![usize::MAX; graph.nodes()],
        left: PATIENCE,
    };
    let mut best: Option<Vec<Arrow>> = None;
    for node in 0..graph.nodes() {
        if components.sizes[components.of[node]] < 2 {
            continue;
        }
        let limit = best.as_ref().map_or(usize::MAX, Vec::len);
        // There is none of one transaction.
        if limit == 2 || search.left == 0 {
            break;
        }
        best = search.through(node, limit).or(best);
    }
    let edges = best?.iter().map(|arrow| arrow.edge(rows)).collect();
    Some(Violation::Cycle(edges))
}

struct Search<'a> {
    graph: &'a Graph,
    components: &'a [usize],
    reached_by: Vec<Option<Arrow>>,
    /// In which search a node was reached.
    round: Vec<usize>,
    left: usize,
}

impl Search<'_> {
    /// The shortest cycle through a node, if it is shorter than the limit.
    fn through(&mut self, start: usize, limit: usize) -> Option<Vec<Arrow>> {
        let mut open = VecDeque::from([(start, 0)]);
        self.round[start] = start;
        while let Some((node, depth)) = open.pop_front() {
            if depth + 1 >= limit {
                return None;
            }
            for arrow in self.graph.after(node) {
                self.left = self.left.checked_sub(1)?;
                if arrow.to == start {
                    return Some(self.path(start, *arrow));
                }
                if self.components[arrow.to] == self.components[start] && self.round[arrow.to] != start {
                    self.round[arrow.to] = start;
                    self.reached_by[arrow.to] = Some(*arrow);
                    open.push_back((arrow.to, depth + 1));
                }
            }
        }
        None
    }

    fn path(&self, start: usize, last: Arrow) -> Vec<Arrow> {
        let mut path = vec![last];
        let mut node = last.from;
        while node != start {
            let Some(arrow) = self.reached_by[node] else {
                break;
            };
            node = arrow.from;
            path.push(arrow);
        }
        path.reverse();
        path
    }
}

/// Nodes that can all be reached from each other.
struct Components {
    of: Vec<usize>,
    sizes: Vec<usize>,
}

/// Tarjan's algorithm, with a stack of its own: histories are longer than the stack of a thread is deep.
fn components(graph: &Graph) -> Components {
    const NEW: usize = usize::MAX;

    let nodes = graph.nodes();
    let mut found = Components {
        of: vec![NEW; nodes],
        sizes: Vec::new(),
    };
    let (mut order, mut low) = (vec![NEW; nodes], vec![NEW; nodes]);
    let mut next = 0;
    let mut stack = Vec::new();
    for root in 0..nodes {
        if order[root] != NEW {
            continue;
        }
        let mut calls = vec![(root, 0)];
        while let Some((node, arrow)) = calls.pop() {
            if arrow == 0 {
                order[node] = next;
                low[node] = next;
                next += 1;
                stack.push(node);
            }
            if let Some(Arrow { to, .. }) = graph.after(node).get(arrow).copied() {
                calls.push((node, arrow + 1));
                if order[to] == NEW {
                    calls.push((to, 0));
                } else if found.of[to] == NEW {
                    low[node] = low[node].min(order[to]);
                }
                continue;
            }
            if low[node] == order[node] {
                let component = found.sizes.len();
                let from = stack.iter().rposition(|member| *member == node).unwrap_or(0);
                let members = stack.split_off(from);
                found.sizes.push(members.len());
                for member in members {
                    found.of[member] = component;
                }
            }
            if let Some((caller, _)) = calls.last() {
                low[*caller] = low[*caller].min(low[node]);
            }
        }
    }
    found
}
