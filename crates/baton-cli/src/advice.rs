//! Advice of the libraries, as sentences with the flags of `baton`.

use baton_proto::Advice;
use baton_proto::advice::Limit;

/// One sentence per remedy.
pub(crate) fn sentences(advice: &[Advice]) -> Vec<String> {
    advice.iter().map(sentence).collect()
}

/// How to find the id of a sync.
pub(crate) fn list_syncs(file: &str) -> String {
    format!("list the syncs with `baton syncs -f {file}`")
}

/// A remedy in the words of `baton`.
pub(crate) fn sentence(advice: &Advice) -> String {
    match advice {
        Advice::RaiseLimit(Limit::DecodedSize) => {
            "if you trust the file, raise BATON_DECODER_MAX_DECODED_SIZE_MB".to_owned()
        }
        Advice::RaiseLimit(Limit::DecoderMemory) => {
            "if you trust the file, raise BATON_DECODER_MAX_MEMORY_MB".to_owned()
        }
        Advice::RaiseLimit(Limit::DerivedGrants) => {
            "no file was written; allow more grants with --max-grants".to_owned()
        }
        Advice::NameSyncFile | Advice::CheckPath => {
            "pass a file that a connector wrote with --file".to_owned()
        }
        Advice::NameAnotherTarget => "pass another path with --out".to_owned(),
        Advice::RemoveOrRename => "remove the file, or pass another path with --out".to_owned(),
        Advice::FreeSpace => {
            "free space on that disk, or name a folder on another disk: with BATON_TMPDIR for \
             temporary files, with --out for a new file"
                .to_owned()
        }
        Advice::MakeFolderWritable => {
            "make the folder writable, or pass another path with --out".to_owned()
        }
        Advice::NameTempFolder => "name a writable folder with BATON_TMPDIR".to_owned(),
        Advice::WaitForWriter => "wait for the other process, or pass another file".to_owned(),
        Advice::ConvertToV1 => "convert the file to format v1 with `baton to-sqlite`".to_owned(),
        Advice::ChooseV3 => "convert the file to format v3 with `baton to-pebble`".to_owned(),
        Advice::ExpandFirst => "create a comparable file with `baton expand`".to_owned(),
        Advice::ChooseSync => {
            "list the syncs with `baton syncs` and pass the id of a finished one with --sync-id"
                .to_owned()
        }
        Advice::ListEntitlements(path) => {
            format!(
                "list the ids with `baton entitlements -f {}`",
                path.display()
            )
        }
        Advice::ListResources(path) => {
            format!("list the ids with `baton resources -f {}`", path.display())
        }
        Advice::ListGrants(path) => {
            format!("list the ids with `baton grants -f {}`", path.display())
        }
        Advice::RaiseLimit(Limit::OpenFiles) => {
            "allow more open files, as in `ulimit -n 1024`".to_owned()
        }
        Advice::RaiseLimit(Limit::Threads) => {
            "allow more processes and threads, as in `ulimit -u 4096`".to_owned()
        }
        plain => plain.to_string(),
    }
}
