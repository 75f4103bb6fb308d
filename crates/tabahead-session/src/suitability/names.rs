//! Recognises files that hold keys and passwords by their names: by the folder, by the name itself,
//! by the words in it, and by its extension. Better silent once too often than a secret in a model,
//! a cache or a log.
//!
//! A pure function of a path. `tabahead_context` examines the contents of files.

/// Folders in which all files are secret, whatever their names.
const FOLDERS: [&str; 31] = [
    ".ssh",
    ".gnupg",
    ".gpg",
    ".aws",
    ".azure",
    ".kube",
    ".gcloud",
    ".oci",
    ".aliyun",
    ".bluemix",
    ".tccli",
    ".password-store",
    ".secrets",
    ".secret",
    ".credentials",
    ".creds",
    ".private-keys",
    ".terraform.d",
    ".env.d",
    ".vault",
    ".pki",
    ".keyrings",
    ".kaggle",
    ".ngrok2",
    ".databricks",
    ".purple",
    "keyrings",
    ".cloudflared",
    ".ssh.bak",
    ".putty",
    ".talos",
];

/// Folders below `.config` in which all files are secret.
const CONFIG_FOLDERS: [&str; 19] = [
    "gh",
    "hub",
    "glab-cli",
    "op",
    "1password",
    "gcloud",
    "doctl",
    "rclone",
    "sops",
    "heroku",
    "netlify",
    "configstore",
    "github-copilot",
    "containers",
    "openstack",
    "filezilla",
    "msmtp",
    "bitwarden",
    "bitwarden cli",
];

/// Folders whose files are secret unless they are source code, which may only be about secrets.
const FOLDERS_OF_DATA: [&str; 16] = [
    "secret",
    "secrets",
    "credential",
    "credentials",
    "creds",
    "passwords",
    "private-keys",
    "private_keys",
    "keystore",
    "keystores",
    "sealed-secrets",
    "sealed_secrets",
    ".env",
    "env.d",
    "wireguard",
    "system-connections",
];

/// Names of files without an extension that are not data.
const SOURCES: [&str; 8] = [
    "makefile",
    "dockerfile",
    "justfile",
    "rakefile",
    "gemfile",
    "readme",
    "license",
    "codeowners",
];

/// Ends of secret paths.
const ENDS: [&str; 59] = [
    "/.config/hub",
    "/.config/hcloud/cli.toml",
    "/.config/scw/config.yaml",
    "/.config/stripe/config.toml",
    "/.config/railway/config.json",
    "/.config/argocd/config",
    "/.config/helm/registry/config.json",
    "/.config/tea/config.yml",
    "/.config/himalaya/config.toml",
    "/.config/aerc/accounts.conf",
    "/.config/solana/id.json",
    "/.wrangler/config/default.toml",
    "/.talos/config",
    "/.wandb/settings",
    "/.snowflake/connections.toml",
    "/gitlab-runner/config.toml",
    "/kubernetes/kubelet.conf",
    "/.docker/config.json",
    "/.cargo/credentials",
    "/.config/neomutt/account",
    "/.config/mutt/account",
    "/.railway/config.json",
    "/.twilio-cli/config.json",
    "/.m2/settings.xml",
    "/.mvn/settings.xml",
    "/.m2/settings-security.xml",
    "/.gradle/gradle.properties",
    "/.nuget/nuget.config",
    "/nuget/nuget.config",
    "/.bundle/config",
    "/.netlify/config.json",
    "/.fly/config.yml",
    "/.snowsql/config",
    "/.dbt/profiles.yml",
    "/pip/pip.conf",
    "/.pip/pip.conf",
    "/.irssi/config",
    "/.jupyter/jupyter_server_config.json",
    "/.jupyter/jupyter_notebook_config.json",
    "/.jupyter/jupyter_server_config.py",
    "/.jupyter/jupyter_notebook_config.py",
    "/.vscode/sftp.json",
    "/.huggingface/token",
    "/.git/config",
    "/.git/config.worktree",
    "/.subversion/auth",
    "/.sentryclirc",
    "/.config/git/credentials",
    "/.hg/hgrc",
    "/.bitcoin/bitcoin.conf",
    "/.electrum/config",
    "/wpa_supplicant/wpa_supplicant.conf",
    "/rclone/rclone.conf",
    "/kubernetes/admin.conf",
    "/kubernetes/controller-manager.conf",
    "/kubernetes/scheduler.conf",
    "/.weechat/sec.conf",
    "/.idea/webservers.xml",
    "/initializers/secret_token.rb",
];

/// Beginnings of secret names; those without a dot also match after leading dots.
const BEGINNINGS: [&str; 25] = [
    ".env",
    ".flaskenv",
    ".renviron",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".dev.vars",
    ".git-credentials",
    ".pgpass",
    ".htpasswd",
    ".vault",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "id_ed448",
    "id_xmss",
    "wp-config",
    "kubeconfig",
    "client_secret",
    "kube_config_",
    "kube-config",
    "kube.config",
    "storage_state",
    "utc--",
];

/// Secret names, without leading dots.
const NAMES: [&str; 131] = [
    "rootkey.csv",
    "nomad-token",
    "consul-token",
    "gitlab-ci-token",
    "github_pat",
    "pat.txt",
    "erlang.cookie",
    "pg_service.conf",
    "odbc.ini",
    "debian.cnf",
    "cwallet.sso",
    "recovery-codes.txt",
    "keyfile",
    "smbcred",
    "condarc",
    "stored_tokens",
    "muttrc",
    "ssmtp.conf",
    "passwd.client",
    "flyrc",
    "secrets.act",
    "xauthority",
    "vault_pass.sh",
    "vault_pass.py",
    "adbkey",
    "k3s.yaml",
    "ansible-vault.yml",
    "ansible-vault.yaml",
    "_netrc",
    "my.cnf",
    "mylogin.cnf",
    "pgpass.conf",
    "htpasswd",
    "htdigest",
    "dockercfg",
    "dockerconfigjson",
    "authinfo",
    "yarnrc.yml",
    "yarnrc",
    "curlrc",
    "wgetrc",
    "shadow",
    "shadow-",
    "gshadow",
    "opasswd",
    "master.passwd",
    "env",
    "s3cfg",
    "boto",
    "passwd-s3fs",
    "hgrc",
    "esmtprc",
    "msmtprc",
    "fetchmailrc",
    "offlineimaprc",
    "mbsyncrc",
    "getmailrc",
    "ftpconfig",
    "ftppass",
    "remote-sync.json",
    "sftp-config.json",
    "filezilla.xml",
    "sitemanager.xml",
    "recentservers.xml",
    "winscp.ini",
    "localsettings.php",
    "local.settings.json",
    "database.yml",
    "master.key",
    "databrickscfg",
    "kaggle.json",
    "ngrok.yml",
    "rclone.conf",
    "clouds.yaml",
    "secure.yaml",
    "terraformrc",
    "terraform.rc",
    "credentials.tfrc.json",
    "wpa_supplicant.conf",
    "lesshst",
    "viminfo",
    "histfile",
    "zhistory",
    "fish_history",
    "consolehost_history.txt",
    "wallet.dat",
    "logins.json",
    "vault.yml",
    "vault.yaml",
    "gradle-secrets.properties",
    "proxychains.conf",
    "rhosts",
    "admin.conf",
    "kubelet.conf",
    "super-admin.conf",
    "talosconfig",
    "azureprofile.json",
    "msal_token_cache.json",
    "docker-config.json",
    "ansible_vault",
    "openai",
    "openai_key",
    "anthropic_key",
    "bearer.txt",
    "token.pickle",
    "pw.txt",
    "private.json",
    "passwords.md",
    "passwords.org",
    "api_keys.md",
    "api-keys.md",
    "keepass.xml",
    "mnemonic",
    "mnemonic.txt",
    "seed-phrase.txt",
    "seed_phrase.txt",
    "seedphrase.txt",
    "backup-codes.txt",
    "backup_codes.txt",
    "recovery-codes",
    "cookies.txt",
    "sftp.json",
    "settings-security.xml",
    "signing.properties",
    "dotenv",
    "sa-key.json",
    "gcp-sa.json",
    "vault-init.json",
    "vault_init.json",
    "vault-init.txt",
    "vault_init.txt",
];

/// Extensions of files that hold nothing but secrets.
const EXTENSIONS: [&str; 56] = [
    "jwk",
    "macaroon",
    "remmina",
    "env",
    "pem",
    "key",
    "p12",
    "p8",
    "pk8",
    "pfx",
    "pvk",
    "jks",
    "jceks",
    "bks",
    "keystore",
    "keytab",
    "keychain",
    "keychain-db",
    "kdb",
    "kdbx",
    "kwallet",
    "agilekeychain",
    "opvault",
    "1pif",
    "psafe3",
    "ppk",
    "pkcs12",
    "pkcs8",
    "gpg",
    "asc",
    "age",
    "tfvars",
    "tfstate",
    "tfbackend",
    "pkrvars",
    "keyfile",
    "ovpn",
    "nmconnection",
    "mobileprovision",
    "publishsettings",
    "rdp",
    "secret",
    "secrets",
    "credential",
    "credentials",
    "cred",
    "creds",
    "passwd",
    "password",
    "passwords",
    "token",
    "htpasswd",
    "netrc",
    "kubeconfig",
    "vault",
    "wallet",
];

/// Extensions of source code.
const CODE: [&str; 19] = [
    "rs", "go", "py", "ts", "tsx", "js", "jsx", "mjs", "cjs", "c", "h", "cc", "cpp", "java", "kt",
    "rb", "cs", "swift", "scala",
];

/// First words of the names of code that reads or checks credentials.
const VERBS: [&str; 12] = [
    "test", "tests", "get", "load", "read", "fetch", "check", "make", "parse", "rotate", "verify",
    "mock",
];

/// Extensions of data formats; empty for a file without one.
const DATA: [&str; 32] = [
    "",
    "yaml",
    "yml",
    "json",
    "json5",
    "jsonc",
    "jsonl",
    "toml",
    "ini",
    "conf",
    "config",
    "cfg",
    "cnf",
    "properties",
    "txt",
    "text",
    "xml",
    "plist",
    "csv",
    "tsv",
    "list",
    "lst",
    "dat",
    "data",
    "b64",
    "base64",
    "bin",
    "rc",
    "enc",
    "xlsx",
    "xls",
    "ods",
];

/// Extensions that do not describe the contents: the file is a copy, a template, encrypted, or for
/// one of several environments.
const MEANINGLESS: [&str; 58] = [
    "bak",
    "backup",
    "bkp",
    "old",
    "orig",
    "original",
    "save",
    "saved",
    "swp",
    "swo",
    "swn",
    "tmp",
    "temp",
    "new",
    "copy",
    "rej",
    "dist",
    "default",
    "defaults",
    "example",
    "examples",
    "sample",
    "samples",
    "template",
    "tmpl",
    "tpl",
    "j2",
    "jinja",
    "jinja2",
    "erb",
    "mustache",
    "hbs",
    "in",
    "enc",
    "encrypted",
    "sops",
    "crypt",
    "local",
    "prod",
    "production",
    "dev",
    "devel",
    "development",
    "staging",
    "stage",
    "test",
    "testing",
    "qa",
    "uat",
    "ci",
    "demo",
    "live",
    "gz",
    "zip",
    "bz2",
    "xz",
    "disabled",
    "auto",
];

/// Words that make a data file secret when its name contains one of them, ignoring separators.
const WORDS: [&str; 45] = [
    "secret",
    "credential",
    "password",
    "passwd",
    "passphrase",
    "apikey",
    "accesskey",
    "privatekey",
    "signingkey",
    "encryptionkey",
    "masterkey",
    "accountkey",
    "servicekey",
    "serviceaccount",
    "sshkey",
    "deploykey",
    "hostkey",
    "rsakey",
    "dsakey",
    "ecdsakey",
    "ed25519key",
    "gpgkey",
    "jwtkey",
    "awskey",
    "gcpkey",
    "sessionkey",
    "authtoken",
    "accesstoken",
    "refreshtoken",
    "firebaseadminsdk",
    "apitoken",
    "githubtoken",
    "gitlabtoken",
    "bottoken",
    "connectionstring",
    "recoverycodes",
    "backupcodes",
    "bitwardenexport",
    "lastpassexport",
    "openaikey",
    "slacktoken",
    "vaulttoken",
    "bearertoken",
    "unsealkey",
    "privkey",
];

/// Secret names of data files, without separators.
const STEMS: [&str; 21] = [
    "token",
    "tokens",
    "auth",
    "oauth",
    "cred",
    "creds",
    "vault",
    "vaultpass",
    "logins",
    "keyring",
    "keystore",
    "wallet",
    "pass",
    "pwd",
    "keys",
    "key",
    "pgpass",
    "oauth2",
    "bearer",
    "vaultkeys",
    "recoverykeys",
];

/// LSP language ids, and types of file in Vim, of files that hold secrets, whatever their names.
const LANGUAGES: [&str; 11] = [
    "dotenv",
    "env",
    "pem",
    "netrc",
    "ssh_config",
    "ssh-config",
    "sshconfig",
    "htpasswd",
    "pgpass",
    "terraform-vars",
    "opentofu-vars",
];

/// Words for a copy or a version, besides `MEANINGLESS`.
const VERSIONS: [&str; 9] = [
    "another",
    "prev",
    "previous",
    "kopie",
    "copie",
    "copia",
    "kopia",
    "副本",
    "コピー",
];

/// What file managers put before the name of a copy.
const COPIES_OF: [&str; 4] = ["copy of ", "kopie von ", "copie de ", "copia de "];

/// Returns whether a document in a language is secret, whatever its name.
pub(super) fn is_language_of_secrets(language: &str) -> bool {
    LANGUAGES.contains(&language)
}

/// Returns a character of a name as people read it: `None` if it has no width.
fn as_read(c: char) -> Option<char> {
    /// Distance between a character of full width and the one that it looks like.
    const FULL_WIDTH: u32 = 0xfee0;

    let c = match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - FULL_WIDTH)?,
        c => c,
    };
    match c {
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{feff}' => None,
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' => None,
        '\u{fe00}'..='\u{fe0f}' => None,
        '\u{2024}' | '\u{3002}' | '\u{fe52}' | '\u{ff61}' | '\u{a4f8}' => Some('.'),
        '\u{a0}' | '\u{202f}' | '\u{3000}' => Some(' '),
        '\\' => Some('/'),
        c => Some(c),
    }
}

/// Returns whether a path, with `/` or `\`, is one of those that hold keys and passwords.
pub fn is_secret(path: &str) -> bool {
    let path: String = path.to_lowercase().chars().filter_map(as_read).collect();
    let path = format!("/{path}");
    let path = path.trim_end_matches(['/', '.', ' ']);
    let mut folders: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let name = folders.pop().unwrap_or_default();
    // The name of a copy, such as `.env~` or `key.pem.bak`, contains the name of the original.
    let names: Vec<&str> = std::iter::successors(Some(name), |name| shorter(name)).collect();
    is_in_secret_folder(&folders, &names)
        || ENDS.iter().any(|end| path.ends_with(end))
        || names.iter().any(|name| is_secret_name(name))
}

fn is_in_secret_folder(folders: &[&str], names: &[&str]) -> bool {
    let is_of_programs = |pair: &[&str]| {
        pair[0] == ".config" && CONFIG_FOLDERS.contains(&pair[1]) || pair == [".subversion", "auth"]
    };
    folders
        .iter()
        .any(|folder| FOLDERS.contains(folder) || folder.starts_with(".env."))
        || folders.windows(2).any(is_of_programs)
        || (folders.contains(&".git") && names.contains(&"config"))
        || (folders
            .iter()
            .any(|folder| FOLDERS_OF_DATA.contains(folder))
            && !SOURCES.contains(&names[0])
            && names.iter().any(|name| DATA.contains(&split(name).1)))
}

/// Returns the name without one part at its start or end that does not describe the contents;
/// `None` if there is none.
fn shorter(name: &str) -> Option<&str> {
    if let Some(shorter) = name
        .strip_suffix(['~', '#'])
        .or_else(|| name.strip_prefix('#'))
    {
        return Some(shorter);
    }
    let before = COPIES_OF.iter().chain(&[".#"]);
    // A lock file of Emacs, or a copy.
    if let Some(shorter) = before.copied().find_map(|before| name.strip_prefix(before)) {
        return Some(shorter);
    }
    if let Some(shorter) = without_version(name) {
        return Some(shorter);
    }
    let (_, extension) = split(name);
    let is_no_kind = MEANINGLESS.contains(&extension)
        || DATA.contains(&extension)
        || extension.bytes().all(|digit| digit.is_ascii_digit());
    (is_no_kind && !extension.is_empty()).then(|| &name[..name.len() - extension.len() - 1])
}

/// Returns the name without the version that people, systems and browsers put after it: `.env copy`,
/// `prod.env-old`, `key.pem (1)`, `.env~1`; `None` if there is none.
fn without_version(name: &str) -> Option<&str> {
    const SEPARATORS: [char; 5] = [' ', '-', '_', '~', '('];
    const COPIES: [&str; 6] = ["copy", "old", "bak", "bkp", "backup", "orig"];

    let at = name.rfind(SEPARATORS)?;
    let (before, version) = (&name[..at], name[at + 1..].trim_end_matches(')'));
    let number = version.strip_prefix('v').unwrap_or(version);
    let is_number = !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
    let is_version = is_number || MEANINGLESS.contains(&version) || VERSIONS.contains(&version);
    // Without an extension before it, a word after a hyphen is more often a part of the name.
    let is_whole_word = !name[at..].starts_with(['-', '_']) || COPIES.contains(&version);
    (is_version && (is_whole_word || before.contains('.')))
        .then(|| before.trim_end_matches(SEPARATORS).trim_end_matches('.'))
}

/// Returns the name without leading dots and extension, and the extension.
fn split(name: &str) -> (&str, &str) {
    let name = name.trim_start_matches('.');
    name.rsplit_once('.').unwrap_or((name, ""))
}

/// Returns whether a name is like `wg0.conf`; such a file holds a private key.
fn is_interface_of_wireguard(name: &str) -> bool {
    let number = name
        .strip_prefix("wg")
        .and_then(|name| name.strip_suffix(".conf"));
    number.is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Returns whether code with this stem and extension is a configuration that a program reads its
/// secrets from: `config.secret.js`, `twitter_creds.py`. Code with `creds` after a verb reads them.
fn is_secret_configuration(stem: &str, extension: &str) -> bool {
    let is_script = ["py", "js", "mjs", "cjs", "ts", "rb", "php"].contains(&extension);
    let parts: Vec<&str> = stem.split(|c: char| !c.is_alphanumeric()).collect();
    let holds_creds = matches!(parts[..], [of, "creds"] if !VERBS.contains(&of));
    is_script && (stem.ends_with(".secret") || stem == "config.secrets" || holds_creds)
}

/// Returns whether a name has `.env.` inside and is neither code nor a document, like
/// `production.env.sh`.
fn is_environment(name: &str, extension: &str) -> bool {
    const DOCUMENTS: [&str; 5] = ["md", "rst", "adoc", "html", "vue"];

    name.contains(".env.") && !CODE.contains(&extension) && !DOCUMENTS.contains(&extension)
}

fn is_secret_name(name: &str) -> bool {
    let undotted = name.trim_start_matches('.');
    let (stem, extension) = split(name);
    let is_hidden = undotted.len() < name.len();
    let joined: String = stem.chars().filter(|c| c.is_alphanumeric()).collect();
    let parts = || stem.split(|c: char| !c.is_alphanumeric());
    // Code about secrets is not secret, but a file from which a program reads its secrets may be
    // code.
    let is_code = CODE.contains(&extension);
    let is_typed = name.ends_with(".d.ts") || name.ends_with(".test.ts");
    let begins = BEGINNINGS.iter().any(|beginning| {
        let may_be_code = beginning.starts_with(".env") || *beginning == "wp-config";
        !is_typed
            && (!is_code || may_be_code)
            && (name.starts_with(beginning) || undotted.starts_with(beginning))
    });
    begins
        || ([
            "_rsa",
            "_dsa",
            "_ecdsa",
            "_ed25519",
            "-kubeconfig",
            ".backend.hcl",
            ".vars",
            ".pkrvars.hcl",
        ]
        .iter())
        .any(|end| name.ends_with(end))
        || NAMES.contains(&undotted)
        || is_interface_of_wireguard(undotted)
        || is_secret_configuration(stem, extension)
        || is_environment(name, extension)
        || EXTENSIONS.contains(&extension)
        || [".pem.", ".key.", ".p12.", ".keystore."]
            .iter()
            .any(|inner| !is_code && name.contains(inner))
        || (is_hidden && (undotted.ends_with("history") || undotted.ends_with("_hist")))
        || (undotted.starts_with("appsettings.")
            && undotted != "appsettings.json"
            && extension == "json")
        || (DATA.contains(&extension)
            && (WORDS.iter().any(|word| joined.contains(word))
                || STEMS.contains(&joined.as_str())
                || (joined.ends_with("token") && !["", "xml"].contains(&extension))
                || parts().any(|part| matches!(part, "cred" | "creds" | "pwd" | "pass"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_folder_name_words_and_extension() {
        for path in [
            // Environments.
            "/w/.env",
            "/w/.env.local",
            "/w/.envrc",
            "/w/prod.env",
            "/w/prod.env.j2",
            "/w/env.local",
            "/w/env.prod",
            "/w/sealed.env.enc",
            "/w/.env.d/db",
            "/w/.env~",
            "/w/#.env#",
            "/w/.#.env",
            "/w/.env.swp",
            "/w/.ENV",
            "/w/prod.env-old",
            "/w/prod.env copy",
            "/w/prod.env copy 2",
            "/w/prod.env (1)",
            "/w/prod.env~1",
            "/w/prod.env_backup",
            "/w/prod.e\u{200b}nv",
            "/w/prod\u{ff0e}env",
            "/w/server.pem copy",
            "/w/tls.key-20240101",
            "/w/tls.key-2024-01-01",
            "/w/tls.key_v2",
            "/w/server.pem (another copy)",
            "/w/server.pem (copy 2)",
            "/w/server.pem - Copy (2)",
            "/w/server.pem - Kopie",
            "/w/prod.env.~1~",
            "/w/.env copy",
            "/w/.env~1",
            "/w/id_rsa (1)",
            "/w/Copy of .npmrc",
            "/w/token (1).txt",
            "/w/auth copy.json",
            "/w/vault-old.yml",
            "/w/my.cnf copy",
            "/w/prod\u{3002}env",
            "/w/\u{ff0e}\u{ff45}\u{ff4e}\u{ff56}",
            "/w/server.p\u{2060}em",
            "/w/prod.env\u{a0}copy",
            "/w/.dev.vars",
            "/w/.dev.vars.production",
            "/w/.flaskenv.env",
            // Keys.
            "/w/server.pem",
            "/w/server.PEM",
            "/w/server.pem.bak",
            "/w/tls.key",
            "/w/tls.key.old",
            "/w/tls.key~",
            "/w/.id_rsa.swp",
            "/w/id_rsa",
            "/data/u/.ssh/id_rsa.pub",
            "/data/u/.ssh/id_ed25519_work",
            "/data/u/.ssh/work",
            "/data/u/.ssh/config",
            "/w/a.p12",
            "/w/a.keystore",
            "/w/private_key.txt",
            "/w/deploy-key",
            "/etc/ssh/ssh_host_rsa_key",
            "/w/AuthKey_1A2B3C.p8",
            "/w/serviceAccountKey.json",
            "/w/service-account-prod.json",
            "/w/gcp-key.json",
            "/w/my-app-firebase-adminsdk-x1.json",
            "/w/keys.txt",
            // Accounts.
            "/data/u/.aws/credentials",
            "/data/u/.aws/config",
            "/data/u/.azure/accessTokens.json",
            "/data/u/.config/gh/hosts.yml",
            "/data/u/.config/gcloud/application_default_credentials.json",
            "/data/u/.config/rclone/rclone.conf",
            "/data/u/.kube/config",
            "/data/u/.kube/cache/x",
            "/w/kubeconfig",
            "/w/kubeconfig.yaml",
            "/w/prod.kubeconfig",
            "/data/u/.docker/config.json",
            "/data/u/.dockercfg",
            "/data/u/.netrc",
            "/data/u/_netrc",
            "/data/u/.npmrc",
            "/data/u/.pypirc",
            "/data/u/.s3cfg",
            "/data/u/.boto",
            "/data/u/.m2/settings.xml",
            "/data/u/.cargo/credentials.toml",
            "/data/u/.gem/credentials",
            "/data/u/.pgpass",
            "/data/u/.my.cnf",
            "/data/u/.git-credentials",
            "/w/.git/config",
            "/w/.git/modules/lib/config",
            "/data/u/.gnupg/secring",
            "/data/u/.password-store/mail",
            "/data/u/.vault-token",
            "/w/.vault_pass",
            "/w/vault.yml",
            "/w/group_vars/all/vault.yml",
            "/w/auth.json",
            "/w/token.txt",
            "/w/github-token",
            "/w/creds.json",
            "/w/db_creds.ini",
            "/w/smtp-pass.txt",
            // Words.
            "/w/credentials.json",
            "/w/k8s/my-secret.yaml",
            "/w/Secrets.json",
            "/w/secrets.yaml.example",
            "/w/.secrets",
            "/w/.secret",
            "/w/secrets",
            "/w/secrets/prod.yaml",
            "/w/secrets/db",
            "/run/secrets/db.json",
            "/w/passwords.txt",
            "/w/api_key.txt",
            "/w/api_keys.json",
            "/w/apikeys.yml",
            "/w/connectionStrings.config",
            "/w/client_secret_1.apps.json",
            // Files of particular programs.
            "/w/terraform.tfvars",
            "/w/terraform.tfvars.json",
            "/w/prod.auto.tfvars.json",
            "/w/terraform.tfstate",
            "/w/terraform.tfstate.backup",
            "/w/appsettings.Production.json",
            "/w/local.settings.json",
            "/w/wp-config.php",
            "/w/config/database.yml",
            "/w/config/master.key",
            "/w/LocalSettings.php",
            "/etc/wireguard/wg0.conf",
            "/etc/shadow",
            "/w/.htpasswd",
            "/w/site.htpasswd",
            "/w/.flaskenv",
            "/data/u/.Renviron",
            "/w/group_vars/ansible-vault.yml",
            "/w/wg0.conf",
            "/w/deploy_rsa",
            "/w/my_id_rsa",
            "/w/rootkey.csv",
            "/data/u/.config/hub",
            "/w/.env.js",
            "/etc/kubernetes/admin.conf",
            "/w/kube_config_cluster.yml",
            "/w/cluster-kubeconfig",
            "/w/talosconfig",
            "/data/u/.cloudflared/4f1c.json",
            "/w/sa-key.json",
            "/data/u/.azure/azureProfile.json",
            "/w/msal_token_cache.json",
            "/w/docker-config.json",
            "/w/prod.backend.hcl",
            "/w/.prod.vars",
            "/w/vault-token",
            "/w/.ansible_vault",
            "/w/openai_key",
            "/w/slack_token.txt",
            "/w/slack_token",
            "/w/oauth2.json",
            "/w/token.pickle",
            "/w/PASSWORDS.md",
            "/w/API_KEYS.md",
            "/w/bitwarden_export.json",
            "/w/lastpass_export.csv",
            "/w/seed-phrase.txt",
            "/w/github-recovery-codes.txt",
            "/w/cookies.txt",
            "/w/storage_state.json",
            "/data/u/.ssh.bak/id_work",
            "/data/u/.putty/sessions/x",
            "/w/signing.properties",
            // Keys and settings of more programs.
            "/w/unseal-keys.txt",
            "/w/unseal_keys.json",
            "/w/vault-init.json",
            "/w/vault_keys.json",
            "/w/UTC--2023-01-01T00-00-00.0Z--abcdef",
            "/w/luks.keyfile",
            "/w/privkey",
            "/w/privkey1.pem",
            "/w/secrets.auto.pkrvars.hcl",
            "/w/prod.pkrvars.json",
            "/w/prod.s3.tfbackend",
            "/w/config.secret.js",
            "/w/production.env.sh",
            "/w/twitter_creds.py",
            "/data/u/.config/msmtp/config",
            "/data/u/.config/neomutt/account",
            "/data/u/.config/Bitwarden/data.json",
            "/data/u/.railway/config.json",
            "/data/u/.twilio-cli/config.json",
            "/w/.mvn/settings.xml",
            "/data/u/.jupyter/jupyter_server_config.py",
            "/w/passwords.xlsx",
            // Histories.
            "/data/u/.bash_history",
            "/data/u/.zsh_history",
            "/data/u/.python_history",
            "/data/u/.node_repl_history",
            "/data/u/.psql_history",
            "/data/u/.lesshst",
            "/data/u/.viminfo",
            // Various notations of paths.
            ".env",
            "id_rsa",
            ".ssh/work",
            "C:\\people\\me\\.aws\\config",
            "c:/people/me/.SSH/work",
            "/w/.env ",
            "/w/.env.",
        ] {
            assert!(is_secret(path), "{path}");
        }
    }

    #[test]
    fn source_about_secrets_and_ordinary_data_are_none() {
        for path in [
            "",
            "/",
            "Untitled-1",
            "/w/src/secret.rs",
            "/w/kubeconfig.go",
            "/w/client_secret_test.py",
            "/w/id_rsa_parser.rs",
            "/w/.env.d.ts",
            "/w/foo.pem.ts",
            "/w/map.key.go",
            "/w/src/secrets/mod.rs",
            "/w/lib/vault/engine.go",
            "/w/credentials.py",
            "/w/password_reset.html",
            "/w/environment.ts",
            "/w/env.py",
            "/w/env.d.ts",
            "/w/key.rs",
            "/w/keys/mod.rs",
            "/w/config.json",
            "/w/package.json",
            "/w/tokenizer.json",
            "/w/special_tokens_map.json",
            "/w/added_tokens.json",
            "/w/design-tokens.json",
            "/w/author.json",
            "/w/passenger.conf",
            "/w/compass.yml",
            "/w/bypass-list.txt",
            "/w/monkey.json",
            "/w/keyboard.toml",
            "/w/appsettings.json",
            "/w/history.md",
            "/w/HISTORY.rst",
            "/w/docs/secrets.md",
            "/w/.github/workflows/ci.yml",
            "/w/.docker/Dockerfile",
            "/w/.env/lib/python3/site-packages/six.py",
            "/w/.gitignore",
            "/w/.git/COMMIT_EDITMSG",
            "/data/u/.config/nvim/init.lua",
            "/w/token.rs",
            "/w/tests/auth/login.py",
            "/usr/include/c++/12/stop_token",
            "/w/credential/Makefile",
            "/w/env.sh",
            "/w/webpack.env.ts",
            "/w/docs/prod.env.md",
            "/w/secret_santa.py",
            "/w/secret.js",
            "/w/secret.service.ts",
            "/w/routes/project.secrets.tsx",
            "/w/credits.py",
            "/w/tests/creds_test.py",
            "/w/load_creds.py",
            "/w/creds.py",
            "/w/tls_creds.go",
            "/w/variables.pkr.hcl",
            "/w/.mvn/maven.config",
            "/w/vault-init.yaml",
            "/w/UTC.md",
            "/w/budget.xlsx",
            "/data/u/.config/neomutt/neomuttrc.md",
            "/w/key-1.json",
            "/w/main.rs copy",
            "/w/notes (1).txt",
            "/w/auth-test.json",
            "/w/token copy.rs",
            "/w/monkey (2).json",
            "/w/v2",
            "/w/copy",
        ] {
            assert!(!is_secret(path), "{path}");
        }
    }
}
