//! Metrics of a run: who counts, and the file that they end in.

mod file;

use std::path::PathBuf;
use std::sync::Arc;

use baton_flags::Config;
use baton_metrics::{Metrics, Parts, RunEnd, TextForm};
use baton_service::build_info;
use tokio::time::Instant;

use crate::context::CommandContext;
use crate::error::{Error, Result};
use crate::exit::ExitStatus;
use crate::flags;
use crate::mode::Mode;
use crate::panics;
use crate::task::{Body, Task, body};
use file::MetricsFile;

/// The folder of this process, where the system has one.
const PROCESS_FOLDER: &str = "/proc/self";

/// The same task, with metrics where a reader can get them: of a service at its port, of
/// other modes in the file of `--metrics-file`.
pub(crate) fn measured(mode: Mode, config: &Config, task: Task) -> Task {
    let work = Arc::clone(&task.body);
    let body = match (mode, config.get(&flags::METRICS_FILE)) {
        (Mode::Service, _) => of_service(work),
        (_, Some(path)) => of_run(mode, task.doing.clone(), path.to_owned(), work),
        (_, None) => work,
    };
    Task { body, ..task }
}

fn of_service(work: Body) -> Body {
    body(move |context: CommandContext| {
        let process = cfg!(target_os = "linux").then(|| PathBuf::from(PROCESS_FOLDER));
        let metrics = Metrics::of_service(parts(&context, process));
        work(context.with_metrics(Arc::new(metrics)))
    })
}

fn of_run(mode: Mode, doing: String, path: PathBuf, work: Body) -> Body {
    body(move |context: CommandContext| {
        let (work, doing) = (Arc::clone(&work), doing.clone());
        let file = MetricsFile::new(context.cwd().join(&path));
        async move {
            let began = Instant::now();
            let metrics = Metrics::of_run(parts(&context, None), &file.name());
            let checked = file.check();
            if let Some(earlier) = checked.map_err(|source| Error::MetricsFile { source })? {
                metrics.continue_from(&earlier);
            }
            let metrics = Arc::new(metrics);
            let context = context.with_metrics(Arc::clone(&metrics));
            // A run that fails or panics has metrics, too.
            let result = panics::guard_async(&doing, work(context)).await;
            metrics.run_ended(RunEnd {
                mode: mode.name(),
                took: began.elapsed(),
                succeeded: matches!(result, Ok(ExitStatus::Success)),
            });
            written(&file, &metrics, result).await
        }
    })
}

/// The result of a run after its metrics were written. That they cannot be written is the
/// error of a run that has no other.
async fn written(
    file: &MetricsFile,
    metrics: &Arc<Metrics>,
    result: Result<ExitStatus>,
) -> Result<ExitStatus> {
    let (file, metrics) = (file.clone(), Arc::clone(metrics));
    let write = move || file.replace(&metrics.render(TextForm::Prometheus));
    let written = match tokio::task::spawn_blocking(write).await {
        Ok(written) => written.map_err(|source| Error::MetricsFile { source }),
        Err(_) => Err(Error::Stopped {
            doing: "writing the metrics file",
        }),
    };
    match (written, result) {
        (Ok(()), result) => result,
        (Err(error), Ok(ExitStatus::Success)) => Err(error),
        (Err(error), result) => {
            tracing::error!(
                error = baton_proto::causes::one_line(&error),
                "the metrics of the run are not written"
            );
            result
        }
    }
}

fn parts(context: &CommandContext, process: Option<PathBuf>) -> Parts {
    let build = build_info(context.program, context.version);
    Parts {
        program: build.package,
        version: build.package_version,
        rust_version: build.lang_version.trim_start_matches("rust").to_owned(),
        clock: Arc::clone(&context.connector_env().clock),
        process,
    }
}
