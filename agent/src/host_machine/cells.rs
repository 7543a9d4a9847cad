//! The host's NUMA cells, and which processors a guest with some of its own gets.

use std::path::Path;

use csp_shared::host_status::NumaCell;

use super::setup::{online_cpus, parse_cpu_list};

const NODES: &str = "/sys/devices/system/node";

/// Memory, and the processors that are near it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Logical processors, those that are off too.
    pub cpus: Vec<u32>,
    /// Memory in MiB.
    pub ram_mib: u64,
}

impl Cell {
    /// As it is told.
    #[must_use]
    pub fn told(&self) -> NumaCell {
        NumaCell { cpus: u32::try_from(self.cpus.len()).unwrap_or(u32::MAX), ram_mib: self.ram_mib }
    }
}

/// The host's cells, in their order; none where the kernel knows none.
#[must_use]
pub fn list() -> Vec<Cell> {
    list_in(Path::new(NODES))
}

fn list_in(nodes: &Path) -> Vec<Cell> {
    let names = std::fs::read_dir(nodes).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let number = |name: &str| name.strip_prefix("node")?.parse::<u32>().ok();
    let mut numbers: Vec<u32> = names.filter_map(|name| number(name.to_str()?)).collect();
    numbers.sort_unstable();
    let cell = |number| {
        let text = |file: &str| std::fs::read_to_string(nodes.join(format!("node{number}")).join(file)).ok();
        Some(Cell {
            cpus: parse_cpu_list(text("cpulist")?.trim()).unwrap_or_default(),
            ram_mib: total_mib(&text("meminfo")?)?,
        })
    };
    numbers.into_iter().filter_map(cell).collect()
}

/// `Node 0 MemTotal:  65842004 kB`
fn total_mib(info: &str) -> Option<u64> {
    let (_, rest) = info.lines().find_map(|line| line.split_once("MemTotal:"))?;
    rest.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib / 1024)
}

/// The processors that a guest of that size has for itself; `Err` with how many there are when they are too few. Blocks.
///
/// # Errors
/// When /sys is not mounted.
pub(super) fn pins(wanted: u16, ram_mib: u32) -> std::io::Result<Result<Vec<u32>, usize>> {
    let online = online_cpus()?;
    Ok(choose(wanted, ram_mib, &online, &list()).ok_or(online.len()))
}

/// All in the first cell that has so many and the memory. Where none has, the first ones: the control plane places such a
/// guest on no host that tells of cells, and one that was there before runs on.
fn choose(wanted: u16, ram_mib: u32, online: &[u32], cells: &[Cell]) -> Option<Vec<u32>> {
    let wanted = usize::from(wanted);
    let in_cell = |cell: &Cell| {
        let near: Vec<u32> = online.iter().copied().filter(|cpu| cell.cpus.contains(cpu)).take(wanted).collect();
        (near.len() == wanted && cell.ram_mib >= u64::from(ram_mib)).then_some(near)
    };
    cells.iter().find_map(in_cell).or_else(|| online.get(..wanted).map(<[u32]>::to_vec))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_read_in_their_order_and_what_is_none_is_passed_over() {
        let home = tempfile::tempdir().unwrap();
        for (name, cpus, kib) in [("node10", "", 1 << 21), ("node2", "4-5,8", 1 << 20), ("has_cpu", "0", 1)] {
            let folder = home.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("cpulist"), format!("{cpus}\n")).unwrap();
            std::fs::write(folder.join("meminfo"), format!("Node 2 MemTotal:       {kib} kB\nNode 2 MemFree: 1 kB\n"))
                .unwrap();
        }
        std::fs::create_dir(home.path().join("node3")).unwrap();
        let cells = list_in(home.path());
        assert_eq!(cells, [Cell { cpus: vec![4, 5, 8], ram_mib: 1024 }, Cell { cpus: Vec::new(), ram_mib: 2048 }]);
        assert_eq!(cells[0].told(), NumaCell { cpus: 3, ram_mib: 1024 });
        assert_eq!(list_in(&home.path().join("nowhere")), []);
    }

    #[test]
    fn a_guest_gets_processors_of_one_cell_where_one_has_enough_of_both() {
        let cell = |cpus: &[u32], ram_mib| Cell { cpus: cpus.to_vec(), ram_mib };
        let cells = [cell(&[0, 2, 4, 6], 2048), cell(&[1, 3, 5, 7], 8192)];
        let online = [0, 1, 2, 3, 4, 5, 7];
        assert_eq!(choose(2, 1024, &online, &cells), Some(vec![0, 2]));
        assert_eq!(choose(2, 4096, &online, &cells), Some(vec![1, 3]), "where its memory is");
        assert_eq!(choose(4, 1024, &online, &cells), Some(vec![1, 3, 5, 7]), "one of the other cell is off");
        assert_eq!(choose(5, 1024, &online, &cells), Some(vec![0, 1, 2, 3, 4]), "in no cell");
        assert_eq!(choose(2, 1024, &online, &[]), Some(vec![0, 1]), "nothing is known of cells");
        assert_eq!(choose(8, 1024, &online, &cells), None);
    }
}
