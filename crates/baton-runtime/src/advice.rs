//! Advice of the libraries in sentences with the flags of connector programs.

use baton_proto::Advice;
use baton_proto::advice::Limit;

/// One sentence per remedy.
pub(crate) fn sentences(advice: &[Advice]) -> Vec<String> {
    advice.iter().map(sentence).collect()
}

/// A remedy in the words of a connector program.
fn sentence(advice: &Advice) -> String {
    match advice {
        Advice::RaiseLimit(Limit::DecodedSize) => {
            "if you trust the file, raise BATON_DECODER_MAX_DECODED_SIZE_MB".to_owned()
        }
        Advice::RaiseLimit(Limit::DecoderMemory) => {
            "if you trust the file, raise BATON_DECODER_MAX_MEMORY_MB".to_owned()
        }
        Advice::RaiseLimit(Limit::DerivedGrants) => {
            "raise --max-grants, if there is memory for 8 bytes per grant".to_owned()
        }
        Advice::NameAnotherTarget => "pass another path with --file".to_owned(),
        Advice::CreateFolder => "create the folder, or pass another path with --file".to_owned(),
        Advice::MakeFolderWritable => {
            "make the folder writable, or pass another path with --file".to_owned()
        }
        Advice::NameTempFolder => "name a writable folder with --c1z-temp-dir".to_owned(),
        Advice::WaitForWriter => {
            "wait for the other process, or pass another path with --file".to_owned()
        }
        Advice::ConvertToV1 => "`baton to-sqlite` converts the file to format v1".to_owned(),
        Advice::ChooseV3 => {
            "leave out --storage-engine, or pass --storage-engine pebble".to_owned()
        }
        Advice::ExpandFirst => {
            "`baton expand` makes a new file whose sync can be compared".to_owned()
        }
        Advice::ChooseSync => {
            "`baton syncs -f <file>` lists the syncs; name finished ones with --base-sync-id and \
             --applied-sync-id, or with --compact-sync-ids"
                .to_owned()
        }
        Advice::NameExternalFile => {
            "pass the file of a finished sync of another connector with --external-resource-c1z"
                .to_owned()
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
        Advice::ListActions => {
            "list the actions with --list-action-schemas; those of one resource type need \
             --invoke-action-resource-type"
                .to_owned()
        }
        Advice::ListResourceTypes => {
            "the command `capabilities` lists the resource types".to_owned()
        }
        Advice::CheckNamedResources => "check the types and ids in --sync-resources".to_owned(),
        Advice::SyncWholeTypes => {
            "use --sync-resource-types to sync all resources of these types".to_owned()
        }
        Advice::AllowEmpty => {
            "if this is correct, pass --allow-empty; the next run starts over".to_owned()
        }
        Advice::RevokeInstead(grants) => {
            let grants = grants.iter().take(3);
            let flags = grants.map(|grant| format!("--revoke-grant '{grant}'"));
            let flags: Vec<_> = flags.collect();
            format!("revoke the membership instead, with {}", flags.join(" or "))
        }
        Advice::ForceProtected => {
            "grant it to another account first, or pass --force-protected".to_owned()
        }
        Advice::StartOver => "pass --fresh to start over".to_owned(),
        Advice::TrustCertificate => {
            "if a proxy intercepts TLS, put its certificate authority into a PEM file and name \
             the file in SSL_CERT_FILE"
                .to_owned()
        }
        Advice::CheckClientCredentials => "check --client-id and --client-secret".to_owned(),
        Advice::GiveProxyCredentials => "put user and password into the proxy setting, as in \
             HTTPS_PROXY=http://user:password@proxy:3128"
            .to_owned(),
        Advice::RaiseLimit(Limit::OpenFiles) => {
            "allow more open files, as in `ulimit -n 1024`".to_owned()
        }
        Advice::RaiseLimit(Limit::Threads) => {
            "allow more processes and threads, as in `ulimit -u 4096`".to_owned()
        }
        plain => plain.to_string(),
    }
}
