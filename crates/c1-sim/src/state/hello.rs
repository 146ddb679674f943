//! Hello: a host that starts, or one that carries out a hello task.

use std::time::Duration;

use baton_grpc::Status;
use baton_proto::c1::connectorapi::baton::v1::{
    BatonServiceHelloRequest, BatonServiceHelloResponse, baton_service_hello_request::OsInfo,
};

use super::State;
use crate::tasks::TaskKind;

/// A Hello that came.
#[derive(Clone, Debug, PartialEq)]
pub struct HelloRecord {
    /// When, since the start of the simulator.
    pub at: Duration,
    /// The request.
    pub request: BatonServiceHelloRequest,
}

impl State {
    pub(crate) fn hello(
        &mut self,
        number: u64,
        request: &BatonServiceHelloRequest,
    ) -> Result<BatonServiceHelloResponse, Status> {
        let is_start = request.task_id.is_empty();
        self.settle_early_token(is_start);
        for field in empty_fields(request) {
            self.complain(number, format!("`{field}` is empty"));
        }
        if is_start {
            let host = self.hosts.entry(request.host_id.clone()).or_default();
            host.greeted = true;
            host.not_before = None;
            let held = self.tasks.values_mut();
            for task in held.filter(|task| task.host == request.host_id) {
                task.orphan = true;
            }
            if self.config.requeue_on_hello {
                self.requeue(&request.host_id);
            }
        } else {
            let task = self.held(number, &request.host_id, &request.task_id)?;
            task.greeted = true;
            let finished = task.finished.is_some();
            if task.plan.kind != Some(TaskKind::Hello) {
                let text = format!("task {} is not a hello task", request.task_id);
                self.complain(number, text);
            } else if finished {
                let text = format!("task {} was finished before", request.task_id);
                self.complain(number, text);
            }
        }
        if self.config.keep_records {
            let at = self.elapsed();
            let request = request.clone();
            self.hellos.push(HelloRecord { at, request });
        } else if !is_start {
            self.tasks.remove(&request.task_id);
        }
        Ok(BatonServiceHelloResponse::default())
    }

    /// Unfinished tasks of a host that has started again are handed out again.
    fn requeue(&mut self, host: &str) {
        let unfinished = |task: &super::Held| {
            task.host == host && task.finished.is_none() && task.plan.must_be_finished()
        };
        let ids: Vec<String> = self
            .tasks
            .iter()
            .filter(|(_, task)| unfinished(task))
            .map(|(id, _)| id.clone())
            .collect();
        for id in ids.iter().rev() {
            // A task that is handed out again begins again.
            if let Some(task) = self.tasks.remove(id) {
                self.handed_out -= 1;
                let mut plan = task.plan;
                plan.times = 1;
                self.queue.retain(|queued| queued.id != *id);
                self.queue.push_front(plan);
            }
        }
    }
}

/// Fields that the service requires, though no rule does.
fn empty_fields(request: &BatonServiceHelloRequest) -> Vec<&'static str> {
    let build = request.build_info.clone().unwrap_or_default();
    let OsInfo {
        hostname,
        os,
        platform,
        platform_version,
        platform_family,
        kernel_version,
        kernel_arch,
        virtualization_system,
    } = request.os_info.clone().unwrap_or_default();
    [
        ("build_info.lang_version", build.lang_version),
        ("build_info.package", build.package),
        ("build_info.package_version", build.package_version),
        ("os_info.hostname", hostname),
        ("os_info.os", os),
        ("os_info.platform", platform),
        ("os_info.platform_version", platform_version),
        ("os_info.platform_family", platform_family),
        ("os_info.kernel_version", kernel_version),
        ("os_info.kernel_arch", kernel_arch),
        ("os_info.virtualization_system", virtualization_system),
    ]
    .into_iter()
    .filter(|(_, value)| value.is_empty())
    .map(|(field, _)| field)
    .collect()
}
