//! Advice of the libraries in sentences with the flags of `baton`.

use baton_proto::Advice;
use baton_proto::advice::Limit;

/// One sentence per remedy.
pub(crate) fn sentences(advice: &[Advice]) -> Vec<String> {
    advice.iter().map(sentence).collect()
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
            "no file was made; --max-grants allows more".to_owned()
        }
        Advice::NameSyncFile | Advice::CheckPath => {
            "name a file that a connector wrote with --file".to_owned()
        }
        Advice::NameAnotherTarget => "name another path with --out".to_owned(),
        Advice::RemoveOrRename => "remove the file, or name another path with --out".to_owned(),
        Advice::MakeFolderWritable => {
            "make the folder writable, or name another path with --out".to_owned()
        }
        Advice::WaitForWriter => "wait for the other process, or name another file".to_owned(),
        Advice::ConvertToV1 => "`baton to-sqlite` converts the file to format v1".to_owned(),
        Advice::ChooseV3 => "`baton to-pebble` converts the file to format v3".to_owned(),
        Advice::ExpandFirst => {
            "`baton expand` makes a new file whose sync can be compared".to_owned()
        }
        Advice::ChooseSync => {
            "`baton syncs` lists the syncs of a file; --sync-id chooses a finished one".to_owned()
        }
        Advice::ListEntitlements(path) => {
            format!("`baton entitlements -f {}` lists the ids", path.display())
        }
        Advice::ListResources(path) => {
            format!("`baton resources -f {}` lists the ids", path.display())
        }
        Advice::ListGrants(path) => {
            format!("`baton grants -f {}` lists the ids", path.display())
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
