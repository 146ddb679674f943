//! The progress display: two lines at the bottom of the terminal, redrawn in place.
//!
//! Only drawing happens here; `progress` makes the lines. There is no display if
//! standard error is not a terminal.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::terminal::Stderr;

/// Time between two redraws.
pub(crate) const REDRAW_EVERY: Duration = Duration::from_millis(125);

/// A display that is on the screen until it is dropped.
pub(crate) struct Display {
    stderr: Stderr,
    bars: [ProgressBar; 2],
    all: MultiProgress,
}

impl Display {
    /// Puts a display on the screen.
    pub(crate) fn show(stderr: &Stderr) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let bar = |template: &str| {
            let style = ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            all.add(ProgressBar::new_spinner().with_style(style))
        };
        let bars = [bar("{spinner} {wide_msg}"), bar("  {wide_msg}")];
        stderr.show_display(Some(all.clone()));
        Self {
            stderr: stderr.clone(),
            bars,
            all,
        }
    }

    /// Redraws with new lines.
    pub(crate) fn draw(&self, lines: [String; 2]) {
        let gate = self.stderr.gate();
        for (bar, line) in self.bars.iter().zip(lines) {
            bar.set_message(gate.pass(&line).into_owned());
            bar.tick();
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.stderr.show_display(None);
        for bar in &self.bars {
            bar.finish_and_clear();
        }
        // The screen may be closed; nothing can report that.
        let _ = self.all.clear();
    }
}
