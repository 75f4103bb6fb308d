//! Prefixes of the tokens of known issuers.
//!
//! Only prefixes that their issuers document and that imply a secret; public identifiers, such as
//! publishable keys, are not among them.

use super::shapes::SHAPES;

/// A prefix, and the minimum number of characters after it.
pub(super) type Prefix = (&'static str, usize);

/// Prefixes that occur in tokens only.
pub(super) const PREFIXES: &[Prefix] = &[
    // Amazon
    ("AKIA", 16),
    ("ASIA", 16),
    ("ABIA", 16),
    ("ACCA", 16),
    ("IQoJb3JpZ2lu", 60),
    ("FwoGZXIvYXdz", 60),
    // Version control and continuous integration
    ("ghp_", 16),
    ("gho_", 16),
    ("ghu_", 16),
    ("ghs_", 16),
    ("ghr_", 16),
    ("github_pat_", 16),
    ("glpat-", 16),
    ("gldt-", 16),
    ("glrt-", 16),
    ("glrtr-", 16),
    ("glcbt-", 16),
    ("glptt-", 16),
    ("glft-", 16),
    ("glimt-", 16),
    ("glagent-", 16),
    ("glsoat-", 16),
    ("gloas-", 16),
    ("GR1348941", 16),
    ("ATATT3", 20),
    ("ATCTT3", 20),
    ("BBDC-", 20),
    ("sha256~", 40),
    // Payment
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("rk_live_", 16),
    ("rk_test_", 16),
    ("sk_prod_", 16),
    ("rk_prod_", 16),
    ("whsec_", 16),
    ("sq0atp-", 20),
    ("sq0csp-", 20),
    ("access_token$production$", 16),
    ("shpat_", 16),
    ("shpca_", 16),
    ("shppa_", 16),
    ("shpss_", 16),
    ("FLWSECK-", 16),
    ("FLWSECK_TEST-", 12),
    // Messengers
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("xoxa-", 16),
    ("xoxr-", 16),
    ("xoxs-", 16),
    ("xoxe-", 16),
    ("xoxe.", 16),
    ("xoxc-", 16),
    ("xoxd-", 16),
    ("xapp-", 16),
    ("hooks.slack.com/services/", 16),
    ("hooks.slack.com/workflows/", 24),
    ("hooks.slack.com/triggers/", 24),
    ("webhook.office.com/webhookb2/", 36),
    ("outlook.office.com/webhook/", 36),
    ("open.feishu.cn/open-apis/bot/v2/hook/", 36),
    ("discord.com/api/webhooks/", 24),
    ("discordapp.com/api/webhooks/", 24),
    ("xkeysib-", 20),
    ("hooks.zapier.com/hooks/catch/", 10),
    ("hook.eu1.make.com/", 24),
    ("hook.eu2.make.com/", 24),
    ("hook.us1.make.com/", 24),
    ("hook.us2.make.com/", 24),
    // Clouds and hosting
    ("g.alchemy.com/v2/", 30),
    ("infura.io/v3/", 32),
    ("infura.io/ws/v3/", 32),
    ("NRAK-", 20),
    ("NRAL-", 20),
    ("NRAA-", 20),
    ("NRII-", 20),
    ("NRJS-", 19),
    ("AIza", 30),
    ("ya29.", 20),
    ("GOCSPX-", 16),
    ("dop_v1_", 16),
    ("doo_v1_", 16),
    ("dor_v1_", 16),
    ("hvs.", 20),
    ("hvb.", 20),
    ("hvr.", 20),
    ("sb_secret_", 16),
    ("dp.pt.", 20),
    ("dp.st.", 20),
    ("dp.ct.", 20),
    ("dp.audit.", 20),
    ("mdb_sa_sk_", 20),
    ("vercel_blob_rw_", 24),
    ("eyJrIjoi", 40),
    // Models
    ("sk-ant-", 16),
    ("sk-proj-", 16),
    ("sk-svcacct-", 16),
    ("sk-admin-", 16),
    ("sk-or-", 16),
    ("tgp_v1_", 24),
    ("wandb_v1_", 24),
    // Packages and containers
    ("pypi-AgE", 16),
    ("dckr_pat_", 16),
    ("dckr_oat_", 16),
    // Work
    ("sntrys_", 20),
    ("sntryu_", 20),
    ("ops_eyJ", 20),
    ("sk.eyJ", 20),
    // Keys
    ("AGE-SECRET-KEY-1", 16),
    ("LS0tLS1CRUdJTi", 40),
    ("suiprivkey1", 50),
    ("ed25519_sk1", 50),
    ("ed25519-priv-0x", 64),
    ("RWRCSwAAAA", 60),
    // A password's hash of Apache's
    ("$apr1$", 24),
];

/// Prefixes that other words begin with, too: what follows them must look random.
pub(super) const SHORT_PREFIXES: &[Prefix] = &[
    ("npm_", 24),
    ("hf_", 24),
    ("rubygems_", 24),
    ("lin_api_", 20),
    ("lin_oauth_", 20),
    ("nfp_", 20),
    ("figd_", 20),
    ("bkua_", 20),
    ("rdme_", 24),
    ("gsk_", 24),
    ("sbp_", 20),
    ("squ_", 24),
    ("sqp_", 24),
    ("sqa_", 24),
    ("ntn_", 24),
    ("glsa_", 20),
    ("duffel_live_", 16),
    ("duffel_test_", 16),
    ("xai-", 24),
    ("pplx-", 24),
    ("nvapi-", 24),
    ("fo1_", 20),
    ("fm2_", 20),
    ("FlyV1", 20),
    ("tskey-", 16),
    ("amzn.mws.", 20),
    ("CCIPAT_", 16),
    ("HRKU-", 20),
    ("PMAK-", 24),
    ("pat-na1-", 20),
    ("pat-eu1-", 20),
    ("sk-", 32),
    ("key-", 32),
    ("dapi", 32),
    ("oy2", 40),
    ("cio", 32),
    ("secret_", 40),
    ("EAAAE", 40),
    ("EAAAl", 40),
    ("EAA", 60),
    ("SK", 32),
    ("EZAK", 40),
    ("SG.", 30),
    ("LTAI", 16),
    ("AKID", 24),
    ("ATBB", 24),
    ("rnd_", 24),
    ("v1.0-", 40),
    ("scw_", 24),
    ("pul-", 32),
    ("r8_", 24),
    ("glc_", 24),
    ("phx_", 20),
    ("sgp_", 24),
    ("xprv", 60),
    ("shippo_live_", 20),
    ("ABSK", 20),
    ("vcp_", 20),
    ("pscale_tkn_", 20),
    ("pscale_pw_", 20),
    ("pscale_oauth_", 20),
    ("napi_", 20),
    ("hcxik_", 20),
    ("dt0c01.", 20),
    ("lsv2_pt_", 20),
    ("lsv2_sk_", 20),
    ("pcsk_", 20),
    ("tvly-", 20),
    ("jina_", 20),
    ("sk_org_live_", 20),
    ("rzp_live_", 20),
    ("pdl_live_apikey_", 20),
    ("tfp_", 20),
    ("AKCp", 20),
    ("cmVmdGtu", 20),
    ("CLOJARS_", 20),
    ("glffct-", 20),
    ("glwt-", 20),
    ("CCIPRJ_", 20),
    ("snyk_uat.", 20),
    ("dbtu_", 20),
    ("dbtc_", 20),
    ("dp.scim.", 20),
    ("xsmtpsib-", 20),
    ("y0_AgAAAA", 20),
    ("access-production-", 20),
    ("prtapi_", 20),
    ("ptok_", 20),
    ("bkct_", 20),
    ("1//0g", 20),
    ("1//0", 40),
    ("sl.", 100),
    ("EZTK", 40),
    ("fio-u-", 60),
    ("gitea_", 36),
    ("api_org_", 34),
    ("A21AA", 60),
    ("access-sandbox-", 36),
    ("sm_pat_", 16),
    ("atkn_", 32),
    ("t1.9eu", 60),
    ("tr_prod_", 20),
    ("tr_dev_", 20),
    ("signkey-prod-", 32),
    ("xaat-", 36),
    ("hcaik_", 32),
    ("AKLT", 30),
    ("ALTAK", 21),
    ("yprv", 100),
    ("zprv", 100),
    ("eyJhIjoi", 120),
];

/// Set of the first two bytes of a list of words, so that most text is compared with no word:
/// indexed by the first byte, with a bit for each second byte below 128.
pub(super) struct Beginnings([u128; 128]);

pub(super) static BEGINNINGS_OF_TOKENS: Beginnings = Beginnings::none()
    .with(&words(PREFIXES))
    .with(&words(SHORT_PREFIXES))
    .with(SHAPES)
    .with(&BASE64)
    .with(&WHOLE);

/// Beginnings in base64 of private keys (a DER sequence) and of Discord's tokens (a number in
/// digits).
const BASE64: [&str; 13] = [
    "MI", "MH", "MC", "MD", "MT", "Mj", "Mz", "ND", "NT", "Nj", "Nz", "OD", "OT",
];

/// Beginnings of HashiCorp Vault's old tokens and of Bitcoin's private keys.
const WHOLE: [&str; 13] = [
    "s.", "5H", "5J", "5K", "Kw", "Kx", "Ky", "Kz", "L1", "L2", "L3", "L4", "L5",
];

/// Returns the prefixes alone; the remaining elements hold the beginning of a signed token.
const fn words(prefixes: &[Prefix]) -> [&'static str; 160] {
    let mut words = ["eyJ"; 160];
    let mut at = 0;
    while at < prefixes.len() {
        words[at] = prefixes[at].0;
        at += 1;
    }
    words
}

impl Beginnings {
    pub(super) const fn none() -> Self {
        Self([0; 128])
    }

    /// Adds `words`, each of at least two ASCII characters.
    pub(super) const fn with(mut self, words: &[&str]) -> Self {
        let mut at = 0;
        while at < words.len() {
            let word = words[at].as_bytes();
            self.0[word[0] as usize] |= 1 << word[1];
            at += 1;
        }
        self
    }

    /// Returns whether one of the words may begin a text.
    pub(super) const fn may_begin(&self, text: &[u8]) -> bool {
        match text {
            [first @ ..128, second @ ..128, ..] => self.0[*first as usize] >> *second & 1 == 1,
            _ => false,
        }
    }
}
