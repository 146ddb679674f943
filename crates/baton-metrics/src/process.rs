//! Figures of this process, from `/proc/self` of Linux. What cannot be read is left out.

use std::fs;
use std::path::PathBuf;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use crate::describe::{CPU, Description, MAX_FILES, OPEN_FILES, RESIDENT};

/// Reads the figures each time that they are asked for.
#[derive(Debug)]
pub(crate) struct ProcessFigures {
    folder: PathBuf,
}

impl ProcessFigures {
    /// Those of the process that has this folder.
    pub(crate) fn of(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn text(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.folder.join(name)).ok()
    }

    /// Processor time in seconds.
    fn cpu(&self) -> Option<f64> {
        let ticks = ticks(&self.text("stat")?)?;
        #[expect(
            clippy::cast_precision_loss,
            reason = "no process runs for so many ticks that the difference shows"
        )]
        let seconds = ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
        Some(seconds)
    }

    fn resident(&self) -> Option<u64> {
        let statm = self.text("statm")?;
        let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
        pages.checked_mul(rustix::param::page_size() as u64)
    }

    fn open_files(&self) -> Option<u64> {
        let count = fs::read_dir(self.folder.join("fd")).ok()?.count();
        // One of them is the folder that was just read.
        Some((count as u64).saturating_sub(1))
    }

    fn max_files(&self) -> Option<u64> {
        let limits = self.text("limits")?;
        let line = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max open files"))?;
        match line.split_ascii_whitespace().next()? {
            "unlimited" => Some(u64::MAX),
            limit => limit.parse().ok(),
        }
    }
}

/// User and system time in ticks: the 14th and 15th field. The second one is the name of
/// the program in parentheses, which may have spaces and parentheses itself.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    user.checked_add(system)
}

fn encode(
    encoder: &mut DescriptorEncoder<'_>,
    description: &Description,
    metric: &impl EncodeMetric,
) -> Result<(), std::fmt::Error> {
    let unit = description.unit.map(|unit| Unit::Other(unit.to_owned()));
    let help = format!("{}.", description.meaning);
    let metric_encoder =
        encoder.encode_descriptor(description.base, &help, unit.as_ref(), metric.metric_type())?;
    metric.encode(metric_encoder)
}

impl Collector for ProcessFigures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        if let Some(seconds) = self.cpu() {
            encode(&mut encoder, &CPU, &ConstCounter::new(seconds))?;
        }
        for (description, value) in [
            (&RESIDENT, self.resident()),
            (&OPEN_FILES, self.open_files()),
            (&MAX_FILES, self.max_files()),
        ] {
            if let Some(value) = value {
                encode(&mut encoder, description, &ConstGauge::new(value))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_the_files_of_a_process() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let figures = ProcessFigures::of(folder.path().to_owned());
        assert_eq!(figures.cpu(), None);
        assert_eq!(figures.resident(), None);
        assert_eq!(figures.open_files(), None);
        assert_eq!(figures.max_files(), None);
        write(
            "stat",
            "7 (a) b) (c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 4 0 900 1 2",
        );
        write("statm", "100 25 3 4 0 6 0\n");
        write(
            "limits",
            "Limit Soft Limit Hard Limit Units\nMax open files            1024   4096   files\n",
        );
        fs::create_dir(folder.path().join("fd")).unwrap();
        for name in ["0", "1", "2", "3"] {
            write(&format!("fd/{name}"), "");
        }
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let expected = 300.0 / rustix::param::clock_ticks_per_second() as f64;
        assert_eq!(figures.cpu(), Some(expected));
        assert_eq!(
            figures.resident(),
            Some(25 * rustix::param::page_size() as u64)
        );
        assert_eq!(figures.open_files(), Some(3));
        assert_eq!(figures.max_files(), Some(1024));
        write("stat", "7 (a S 1");
        write("statm", "100");
        write("limits", "Max open files   unlimited unlimited files\n");
        assert_eq!(figures.cpu(), None);
        assert_eq!(figures.resident(), None);
        assert_eq!(figures.max_files(), Some(u64::MAX));
    }

    #[test]
    fn this_process_has_all_of_them() {
        let figures = ProcessFigures::of(PathBuf::from("/proc/self"));
        assert!(figures.cpu().is_some());
        assert!(figures.resident().unwrap() > 1 << 20);
        assert!(figures.open_files().unwrap() >= 3);
        assert!(figures.max_files().unwrap() >= figures.open_files().unwrap());
    }
}
