//! Actions: work that an application offers beside grants, such as to disable a
//! user, with named arguments and an answer.
//!
//! An author describes an action as a [`Change`](crate::Change) and what it
//! answers, and sends reads only; one place carries it out, as every change.
//! Arguments are checked against the action's schema before the author's code
//! runs. Each action is a run of its own and outlives the call that began it.
//!
//! ```
//! use baton_connector::{
//!     Action, ActionSchema, Argument, Arguments, Call, Change, Creation, Result, Struct, Types,
//!     Write, resource::Profile, v2,
//! };
//!
//! /// What connecting has brought.
//! struct House;
//!
//! struct LockDoor;
//!
//! #[async_trait::async_trait]
//! impl Action for LockDoor {
//!     async fn describe(&self, _call: &Call, arguments: &Arguments) -> Result<Creation<Struct>> {
//!         let door = arguments.text("door")?.to_owned();
//!         let lock = Write::local(format!("lock door {door}"), |_call| async { Ok(()) });
//!         Ok(Change::create().write(lock).gives(|_call, _made| async move {
//!             Ok(Profile::new().flag("success", true).text("door", door).build())
//!         }))
//!     }
//! }
//!
//! let schema = ActionSchema::new("lock_door")
//!     .display_name("Lock a door")
//!     .argument(Argument::text("door").required());
//! let types = Types::new().action(schema, |_: &House| Ok(LockDoor));
//! let announced = types.capabilities()?.connector_capabilities;
//! assert_eq!(announced, [i32::from(v2::Capability::Actions)]);
//! # Ok::<(), baton_connector::Error>(())
//! ```

mod arguments;
mod author;
mod check;
mod engine;
mod registry;
mod rules;
mod schema;
mod serve;
mod table;

pub use arguments::Arguments;
pub use author::Action;
pub use engine::{ActionState, Actions, Invoke};
pub use schema::{ActionSchema, Argument};

pub(crate) use registry::{ActionSpec, Registered, Registry, check_schemas};
pub(crate) use serve::{Ids, ServedActions};
