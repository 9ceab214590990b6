//! Drawing tokens.

use super::{Given, Launcher};
use crate::{
    array::{Array, Kind},
    device::{DeviceError, Grid, Memory},
    kernel::{ChanceArgs, CountArgs, DrawArgs, KeepArgs, Kernel, RandomArgs, RankArgs, SortArgs, TotalArgs},
};
use assay_exact::row::GROUP;
use bytemuck::Zeroable;

/// Places of a sorted row that are summed by one thread.
const SEGMENT: u32 = 256;

impl Launcher<'_> {
    pub(super) fn chance(&self, inputs: &[Given], out: &Array) -> Result<(), DeviceError> {
        let x = &inputs[0];
        let arguments = ChanceArgs {
            x: x.address(),
            maxima: inputs[1].address(),
            out: out.address(),
            fault: self.fault,
            rows: x.kind.rows(),
            length: x.kind.row(),
        };
        self.launch(Grid::over(x.kind.len()), &arguments)
    }

    /// Every row's tokens in their order, as keys, and the keys of a row.
    fn sorted(&self, scores: &Given) -> Result<(Memory, u32), DeviceError> {
        let width = scores.kind.row().next_power_of_two().max(2);
        let rows = scores.kind.rows();
        let keys = Memory::new(self.device, rows as usize * width as usize * 8)?;
        let mut arguments = SortArgs {
            x: scores.address(),
            keys: keys.address(),
            rows,
            length: scores.kind.row(),
            width,
            ..SortArgs::zeroed()
        };
        let all = u64::from(rows) * u64::from(width);
        self.launch_as(Kernel::SortKeys, Grid::over(all), &arguments)?;
        let mut run = 2;
        while run <= width {
            let mut distance = run / 2;
            while distance > 0 {
                (arguments.run, arguments.distance) = (run, distance);
                self.launch_as(Kernel::SortStep, Grid::over(all / 2), &arguments)?;
                distance /= 2;
            }
            run *= 2;
        }
        Ok((keys, width))
    }

    pub(super) fn rank(&self, scores: &Given, out: &Array) -> Result<(), DeviceError> {
        let (keys, width) = self.sorted(scores)?;
        let arguments = RankArgs {
            keys: keys.address(),
            ranks: out.address(),
            rows: scores.kind.rows(),
            length: scores.kind.row(),
            width,
            ..RankArgs::zeroed()
        };
        self.launch(Grid::over(scores.kind.len()), &arguments)
    }

    pub(super) fn mass(&self, inputs: &[Given], out: &Array) -> Result<(), DeviceError> {
        let scores = &inputs[0];
        let (keys, width) = self.sorted(scores)?;
        let rows = scores.kind.rows();
        let segments = scores.kind.row().div_ceil(SEGMENT);
        let all = u64::from(rows) * u64::from(segments);
        let sums = Memory::new(self.device, all as usize * 8)?;
        let arguments = RankArgs {
            keys: keys.address(),
            chances: inputs[1].address(),
            masses: out.address(),
            sums: sums.address(),
            rows,
            length: scores.kind.row(),
            width,
            segments,
            ..RankArgs::zeroed()
        };
        self.launch_as(Kernel::MassSums, Grid::over(all), &arguments)?;
        self.launch_as(Kernel::MassScan, Grid::over(rows.into()), &arguments)?;
        self.launch_as(Kernel::Mass, Grid::over(all), &arguments)
    }

    pub(super) fn keep_ranks(&self, inputs: &[Given], out: &Array) -> Result<(), DeviceError> {
        let arguments = KeepArgs {
            ranks: inputs[1].address(),
            most: inputs[2].address(),
            ..Self::kept(&inputs[0], out)
        };
        self.launch_as(Kernel::KeepRanks, Grid::over(inputs[0].kind.len()), &arguments)
    }

    pub(super) fn keep_mass(&self, inputs: &[Given], out: &Array) -> Result<(), DeviceError> {
        let arguments = KeepArgs {
            masses: inputs[1].address(),
            totals: inputs[2].address(),
            most: inputs[3].address(),
            ..Self::kept(&inputs[0], out)
        };
        self.launch_as(Kernel::KeepMass, Grid::over(inputs[0].kind.len()), &arguments)
    }

    fn kept(chances: &Given, out: &Array) -> KeepArgs {
        KeepArgs {
            chances: chances.address(),
            out: out.address(),
            rows: chances.kind.rows(),
            length: chances.kind.row(),
            ..KeepArgs::zeroed()
        }
    }

    fn totals(&self, chances: &Given, groups: u32, sums: u64) -> Result<(), DeviceError> {
        let (rows, length) = (chances.kind.rows(), chances.kind.row());
        let arguments = TotalArgs {
            chances: chances.address(),
            sums,
            rows,
            length,
            groups,
            unused: 0,
        };
        self.launch(Grid::rows(rows, length), &arguments)
    }

    pub(super) fn total(&self, chances: &Given, out: &Array) -> Result<(), DeviceError> {
        self.device.fill(out.address(), 0, out.bytes())?;
        self.totals(chances, 0, out.address())
    }

    pub(super) fn draw(&self, inputs: &[Given], out: &Array) -> Result<(), DeviceError> {
        let chances = &inputs[0];
        let (rows, length) = (chances.kind.rows(), chances.kind.row());
        let groups = length.div_ceil(GROUP as u32);
        let sums = self.zeros(rows as usize * groups as usize * 8)?;
        self.totals(chances, groups, sums.address())?;
        let arguments = DrawArgs {
            chances: chances.address(),
            sums: sums.address(),
            totals: inputs[1].address(),
            numbers: inputs[2].address(),
            out: out.address(),
            fault: self.fault,
            rows,
            length,
            groups,
            unused: 0,
        };
        self.launch(Grid::over(rows.into()), &arguments)
    }

    pub(super) fn random(&self, stream: u32, inputs: &[Given], kind: &Kind, out: &Array) -> Result<(), DeviceError> {
        let arguments = RandomArgs {
            seed: inputs[0].address(),
            sequences: inputs[1].address(),
            out: out.address(),
            elements: kind.len() as u32,
            position: self.bindings.position.wrapping_add(self.bindings.length),
            stream,
            unused: 0,
        };
        self.launch(Grid::over(kind.len()), &arguments)
    }

    pub(super) fn count(&self, indices: &Given, kind: &Kind, out: &Array) -> Result<(), DeviceError> {
        self.device.fill(out.address(), 0, out.bytes())?;
        let arguments = CountArgs {
            indices: indices.address(),
            counts: out.address(),
            fault: self.fault,
            length: indices.kind.len() as u32,
            rows: kind.row(),
        };
        self.launch(Grid::over(indices.kind.len()), &arguments)
    }
}
