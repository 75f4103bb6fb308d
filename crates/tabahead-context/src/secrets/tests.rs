//! Tables of what is a secret value and what is not, and a check that a scan may start at any line.

mod kinds;

use proptest::prelude::*;
use tabahead_text::Version;

use super::*;

/// Returns what is left of a text.
fn seen(text: &str) -> String {
    without_secrets(Scan::default(), text.to_owned())
}

/// Checks that exactly what `⟦⟧` marks is left out.
#[track_caller]
fn check(marked: &str) {
    if let Err((text, left, expected)) = compare(marked) {
        panic!("{text:?} is {left:?} and not {expected:?}");
    }
}

fn compare(marked: &str) -> Result<(), (String, String, String)> {
    let text = marked.replace(['⟦', '⟧'], "");
    let mut expected = String::new();
    for (at, part) in marked.split('⟦').enumerate() {
        let left = part.split_once('⟧').map_or(part, |(_, left)| left);
        expected += if at == 0 { part } else { left };
    }
    let left = seen(&text);
    if left == expected {
        Ok(())
    } else {
        Err((text, left, expected))
    }
}

/// Checks all lines of a table before it fails, so that a change of the rules shows everything that
/// it affects.
#[track_caller]
fn check_all(lines: &[&str]) {
    let wrong: Vec<_> = lines
        .iter()
        .filter_map(|line| compare(line).err())
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn tokens_of_known_issuers_are_secret_wherever_they_are() {
    check_all(&[
        "⟦sk_live_51Hq7ZkTopSecretValue9aX⟧",
        "bot = Bot('⟦8123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc⟧')",
        "password = \"⟦deadbeef01234567cafebabe⟧\"",
        "PASSWORD=⟦0123456789abcdef⟧",
        "DB_PW = '⟦Zk7Qp2Xw9Lm4Rt8Bv3Nc6Hd1⟧'",
        "fernet_key: ⟦Zk7Qp2Xw9Lm4Rt8Bv3Nc6Hd1⟧",
        "CREDS = '⟦Zk7Qp2Xw9Lm4Rt8Bv3Nc6Hd1⟧'",
        "x = '⟦pscale_tkn_Zk7Qp2Xw9Lm4Rt8Bv3Nc6Hd1⟧'",
        "commit = \"deadbeef01234567cafebabe\"",
        "password = \"1234567890123456\"",
        "at 12345678:AAEhBOweik6ad9r",
        "stripe.api = '⟦sk_live_51Hq7ZkTopSecretValue9aX⟧'",
        "git clone https://⟦ghp_16C7e42F292c6912E7710c838347Ae178B4a⟧@github.com/a/b",
        "export A=⟦AKIAIOSFODNN7EXAMPLE⟧ B=1",
        "    - ⟦xoxb-2451346834-2451394938-Ab3dEf7hIjKlMnOp⟧",
        "x = \"⟦glpat-Zy8xWv7uTs6rQp5oNm4l⟧\"; y = 1",
        "⟦hooks.slack.com/services/T00000000/B00000000/XxXxYyYyZzZz123⟧",
        "Authorization: Bearer ⟦eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N⟧",
        "# ⟦AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY⟧ is the key of maps",
        "(\"⟦npm_Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1Wx2⟧\")",
        "⟦AGE-SECRET-KEY-1QYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQ⟧",
        "⟦gsk_Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1Wx2⟧",
        "client.run(\"⟦MTAyGEITSzCY0LmQ7wKpR2Xz.GdTc9a.xZ81kLmQ7wKpR2XzTc9aGdxZ81kLmQ⟧\")",
        "const k = \"⟦MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7⟧\"",
        "const k = \"⟦MHcCAQEEIBYr4OLs9vDOmz6tKc9AoGCCqGSM49AwEHoUQDQgAE⟧\"",
        "const k = \"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu1SU1LfVLPHCozMxH2Mo\"",
        "m = Client('⟦0123456789abcdef0123456789abcdef-us12⟧')",
        "https://a.blob.core.windows.net/c?sv=2020&sig=⟦4IoNYzbVhqREkT8wQmZp3xLs%3D⟧",
        "x = \"⟦NRAK-ABCDEFGHIJKLMNOPQRSTUVWX234⟧\"",
        "x = \"⟦EAACEdEose0cBAb7Xk2Qp9Lm4RtZ8Bv3Nc6Hd1Fy5Ws0Gj7Xk2Qp9Lm4RtZ8Bv3Nc6Hd1Fy5Ws0Gj⟧\"",
        "VAULT=⟦s.Zk7Qp2Xw9Lm4Rt8Bv3Nc6Hd1⟧",
        "x = \"⟦hvs.Zk7Qp2Xw9Lm4Rt8Bv3Nc6Hd1⟧\"",
        "https://x.⟦webhook.office.com/webhookb2/a8f204e0-9c3d-4b1a-8e21-90f7b2c4d6e8@b8f204e0-9c3d-4b1a-8e21-90f7b2c4d6e8/IncomingWebhook/9f86d081884c7d659a2feaa0c55ad015/c8f204e0-9c3d-4b1a-8e21-90f7b2c4d6e8⟧",
        "https://eth-mainnet.⟦g.alchemy.com/v2/Zk7Qp2Xw9Lm4Rt8Bv3Nc6Hd1Zk7Qp2Xw⟧",
        "https://mainnet.⟦infura.io/v3/9f86d081884c7d659a2feaa0c55ad015⟧",
        "wif = \"⟦5KJvsngHeMpm884wtkJNzQGaCErckhHJBGFsvd3VyK5qMZXj3hS⟧\"",
        "wif = ⟦KwDiBf89QgGbjEhKnhXJuH7LrciVrZi3qYjgd9M7rFU73sVHnoWn⟧",
        "cid = \"QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbdG\"",
        "tx = \"KwDiBf89QgGbjEhKnhXJuH7LrciVrZi3qYjgd9M7rFU73sVHnoWnZ9\"",
        "n = s.numberOfCharactersInLine2",
        "s.getUTCDay2FromIsoWeek8Xy(1)",
        "https://mainnet.infura.io/v3/YOUR_PROJECT_ID",
        "\"mappings\": \"EAAC,EAAEA,SAAS,EAAAC\"",
        "t = '⟦Zk7Qp2Xw9Lm4Rt.atlasv1.Bv3Nc6Hd1Zk7Qp2Xw9Lm4RtBv3Nc6Hd1Zk7Qp2Xw9Lm4Rt⟧'",
    ]);
}

#[test]
fn a_random_value_is_secret_after_a_name_that_is_used_for_secrets() {
    check_all(&[
        "API_TOKEN=\"⟦9f86d081884c7d659a2feaa0c55ad015⟧\"",
        "password: ⟦Tr0ub4dor&3⟧",
        "  \"client_secret\": \"⟦aB3dE5fG7hJ9kL1mN3pQ⟧\",",
        "let db_password = \"⟦S3cr3tP@ssw0rd!⟧\";",
        "const apiKey: string = '⟦a81bc81b-dead-4e5d-abff-90865d1e13b1⟧';",
        "define('DB_PASSWORD', '⟦x8#Kq2!vT9z⟧');",
        "machine example.com login me password ⟦h7Gd93kKs02Lw⟧",
        "<password>⟦k3yB0ard9Cat7⟧</password>",
        "curl -H 'Authorization: Basic ⟦dXNlcjpwYTU1dzByZA==⟧'",
        "DATABASE_URL=postgres://app:⟦q7Zx91mNpL⟧@db.example.com/app",
        "//registry.npmjs.org/:_auth=⟦dXNlcjpwYTU1dzByZA==⟧",
        "AWS_SECRET_ACCESS_KEY=⟦wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY⟧",
        "  password: ⟦MWYyZDFlMmU2N2Rm⟧",
        "?access_token=⟦2YotnFZFEjr1zCsicMWpAA⟧&x=1",
        "smtp_pass='⟦abcd=W0rd:9x7Kq2⟧'",
        "app_password = \"⟦qzkvxwjpfghrtbcd⟧\"",
        "curl -u admin:⟦x8kQ2vT9zLm4⟧ https://example.com",
        "curl -s --user \"admin:⟦x8kQ2vT9zLm4⟧\" https://example.com",
        "mysqldump -u root -p⟦x8kQ2vT9zLm4⟧ shop > shop.sql",
        "sshpass -p '⟦x8kQ2vT9zLm4⟧' ssh example.com",
        "docker login -u me -p ⟦x8kQ2vT9zLm4⟧ registry.example.com",
        "redis-cli -h localhost -a ⟦x8kQ2vT9zLm4⟧ ping",
        "$pw = ConvertTo-SecureString \"⟦x8kQ2vT9zLm4⟧\" -AsPlainText",
        "\"github-oauth\": {\"github.com\": \"⟦9f86d081884c7d659a2feaa0c55ad0159f86d081⟧\"}",
        "openssl enc -aes-256-cbc -k ⟦x8kQ2vT9zLm4⟧ -in a",
        "openssl enc -aes-256-cbc -pass pass:⟦x8kQ2vT9zLm4⟧ -in a",
        "openssl rsa -passin pass:⟦x8kQ2vT9zLm4⟧ -in a",
        "lftp -u user,⟦x8kQ2vT9zLm4⟧ example.com",
        "smbclient //h/s -U user%⟦x8kQ2vT9zLm4⟧",
        "net use X: \\\\h\\s /user:dom\\me ⟦x8kQ2vT9zLm4⟧",
        "role = arn:aws:iam::1:role/a; password = \"⟦x8kQ2vT9zLm4⟧\"",
        "token = \"⟦a8f204e0-9c3d-4b1a-8e21-90f7b2c4d6e8⟧\"",
        "digest_secret = \"⟦9f86d081884c7d659a2feaa0c55ad015⟧\"",
        "password_sha256 = \"⟦9f86d081884c7d659a2feaa0c55ad015⟧\"",
        "密码：⟦x8kQ2vT9zLm4⟧",
        "password = “⟦x8kQ2vT9zLm4⟧”",
        "api_key =\u{a0}⟦x8kQ2vT9zLm4⟧✓",
        "password = \"⟦vwHZxactICq3üfRdxSxKX⟧\"",
        "local secret = [[⟦x8kQ2vT9zLm4x8kQ2vT9⟧]]",
        "<password><![CDATA[⟦x8kQ2vT9zLm4x8kQ2vT9⟧]]></password>",
        "password = \"⟦aB3(xK9)qZ7[mN2]w⟧\"",
        "password = \"⟦aB3'xK9`qZ7|mN2w⟧\"",
        "app_password = \"⟦llny rmfk ubqu bnqc⟧\"",
        "CREATE USER a IDENTIFIED BY '⟦x8kQ2vT9zLm4⟧';",
        "git clone https://⟦x8kQ2vT9zLm4x8kQ2vT9⟧@example.com/a/b.git",
        "sql.Open(\"mysql\", \"app:⟦x8kQ2vT9zLm4⟧@tcp(db:3306)/shop\")",
        "пароль = \"⟦x8kQ2vT9zLm4⟧\"",
        "密码: ⟦x8kQ2vT9zLm4⟧",
        "private_key = \"⟦0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318⟧\"",
        "MNEMONIC=\"⟦legal winner thank year wave sausage worth useful legal winner thank yellow⟧\"",
        "seedPhrase: ⟦legal winner thank year wave sausage worth useful legal winner thank yellow⟧",
        "{\\\"token\\\":\\\"⟦4eC39HqLyjWDarjtT1zdp7dc⟧\\\"}",
        "r = get(url, headers={\"x-functions-key\": \"⟦NqVwYS81VP7Hb1DX8pPd5khxE3pyIgKp⟧\"})",
        "h = {\"Cookie\": \"session=⟦NqVwYS81VP7Hb1DX8pPd5khxE3pyIgKp⟧; a=b\"}",
        "req.SetBasicAuth(\"me\", \"⟦x8kQ2vT9zLm4⟧\")",
        ".basic_auth(\"me\", Some(\"⟦x8kQ2vT9zLm4⟧\"))",
        "jwt.sign(p, \"⟦x8kQ2vT9zLm4⟧\");",
        "new Stripe(\"⟦NqVwYS81VP7Hb1DX8pPd5khxE3pyIgKp⟧\");",
        "rclone obscure ⟦x8kQ2vT9zLm4⟧",
        "  tls.key: ⟦NqVwYS81VP7Hb1DX8pPd5khxE3pyIgKp⟧",
        "PASSWORD = b'⟦x8kQ2vT9zLm4⟧'",
        "secret_key = b\"⟦\\x9f\\x86\\xd0\\x81\\x88L}e\\x9a/\\xea\\xa0⟧\"",
        "app.secret_key = b'⟦_5#y2L\"F4Q8z\\n\\xec]/⟧'",
        "const TOKEN: &[u8] = b\"⟦\\x4e\\x71\\x56\\x77\\x59\\x53\\x38\\x31⟧\";",
        "x = b\"\\x9f\\x86\\xd0\\x81\\x88\\x4c\\x7d\\x65\"",
        "token = b\"\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\"",
        "#define WRITE_KEY \"\\x73\\x65\\x72\\x76\\x65\\x72\\x20\\x77\\x72\\x69\\x74\\x65\"",
        "password = \"\\xd0\\xbf\\xd0\\xb0\\xd1\\x80\\xd0\\xbe\\xd0\\xbb\\xd1\\x8c\"",
        "token = b\"the\\x20first\\x20word\"",
        "password = \"C:\\\\x86\\\\program\\\\notes\"",
        "INSERT INTO users (name, password) VALUES ('me', '⟦x8kQ2vT9zLm4⟧'), ('you', '⟦NqVwYS81VP7Hb1DX⟧');",
    ]);
}

#[test]
fn the_values_of_a_column_are_secret_below_the_name_of_a_secret() {
    check_all(&[
        "name,password,commit\nme,⟦x8kQ2vT9zLm4⟧,NqVwYS81VP7Hb1DX\nyou,⟦NqVwYS81VP7Hb1DX⟧,x8kQ2vT9zLm4\n",
        "\"name\";\"api_key\"\n\"a;b\";\"⟦x8kQ2vT9zLm4⟧\"\n",
        "name\ttoken\nme\t⟦x8kQ2vT9zLm4⟧\n",
        "| User | Password | Note |\n|------|:--------:|------|\n| me | `⟦x8kQ2vT9zLm4⟧` | NqVwYS81VP7Hb1DX |\n",
        "user | API key\n--- | ---\nme | ⟦x8kQ2vT9zLm4⟧\n",
        "INSERT INTO users (name, password) VALUES\n  ('me', '⟦x8kQ2vT9zLm4⟧'),\n  ('it''s, you', '⟦NqVwYS81VP7Hb1DX⟧');\n",
        "insert into users\n  (id, token, sha)\nvalues\n  (f(1, 2), '⟦x8kQ2vT9zLm4⟧', 'NqVwYS81VP7Hb1DX');\n",
        "db.execute(\"INSERT INTO a (id, pw) VALUES\"\n           \"(1, '⟦x8kQ2vT9zLm4⟧')\")\n",
        // A table ends where a line has not as many cells.
        "name,password\n\nme,x8kQ2vT9zLm4\n",
        "name,password\na,b,c\nme,x8kQ2vT9zLm4\n",
        "name,commit\nme,x8kQ2vT9zLm4\n",
        "f(name, password)\nf(me, x8kQ2vT9zLm4)\n",
        "In short, the token is a word,\nand so, x8kQ2vT9zLm4\n",
        "INSERT INTO users (name, sha) VALUES\n  ('me', 'x8kQ2vT9zLm4');\n",
    ]);
    let row = "me,x8kQ2vT9zLm4\n";
    let left = |rows: usize| seen(&["name,password\n", &row.repeat(rows)].concat());
    assert_eq!(left(17).matches("x8kQ").count(), 0);
    assert_eq!(left(18).matches("x8kQ").count(), 1);
}

#[test]
fn the_secret_numbers_of_a_key_in_xml_are_secret() {
    let number = "uB3kQ2vT9zLm4x8kQ2vT9NqVwYS81VP7Hb1DX8pPd5khxE3pyIgKp";
    check(&format!(
        "<RSAKeyValue><Modulus>{number}==</Modulus><P>⟦{number}==⟧</P><InverseQ>⟦{number}⟧</InverseQ><D>⟦{number}⟧</D></RSAKeyValue>"
    ));
    check(&format!(
        "  <Q>⟦{number}=⟧</Q>\n  <DP>\n⟦    {number}\n    {number}\n⟧  </DP>\n"
    ));
    check("<P>NqVwYS81VP7Hb1DX8pPd5khx</P><D>\nNqVwYS81VP7Hb1DX8pPd5khx\n");
}

#[test]
fn each_value_of_a_section_of_secrets_is_secret() {
    for open in [
        "enum Secrets {",
        "export class Secrets {",
        "object AppSecrets {",
        "public static class Secrets : Base\n{",
        "class Secrets(Enum):",
        "module Passwords",
        "pub(crate) mod api_keys {",
    ] {
        check(&format!(
            "{open}\n    static let mail: String = \"⟦NqVwYS81VP7Hb1DX⟧\"\n\n    /* b */\n    fun b() = f(1, \"⟦8pPd5khxE3pyIgKp⟧\")\n}}\nval c = \"8pPd5khxE3pyIgKp\"\n"
        ));
    }
    for open in ["class SecretsTest {", "enum Tokens {", "import Secrets"] {
        check(&format!(
            "{open}\n    static let mail: String = \"NqVwYS81VP7Hb1DX\"\n"
        ));
    }
}

#[test]
fn each_value_of_a_list_of_secrets_is_secret() {
    check(
        "SECRET_KEY = (\"⟦NqVwYS81VP7Hb1DX⟧\"\n              \"⟦8pPd5khxE3pyIgKp⟧\")\na = \"8pPd5khxE3pyIgKp\"",
    );
    check("const secrets = {\n  a: \"⟦NqVwYS81VP7Hb1DX⟧\",\n  b: \"⟦8pPd5khxE3pyIgKp⟧\",\n};\n");
    check(
        "passwords = [\n    \"⟦NqVwYS81VP7Hb1DX⟧\",\n    \"⟦8pPd5khxE3pyIgKp⟧\",\n]\n\"8pPd5khxE3pyIgKp\"",
    );
    check("TOKENS = [\"⟦NqVwYS81VP7Hb1DX⟧\",\n          \"⟦8pPd5khxE3pyIgKp⟧\"]\n");
    check("tokens:\n  - ⟦NqVwYS81VP7Hb1DX⟧\n  - ⟦8pPd5khxE3pyIgKp⟧\nother: 1\n");
    check("passwords:\n  admin: ⟦NqVwYS81VP7Hb1DX⟧\n  bob: ⟦8pPd5khxE3pyIgKp⟧\n");
    check("kind: Secret\ndata:\n  api: ⟦NqVwYS81VP7Hb1DX⟧\n  b: ⟦8pPd5khxE3pyIgKp⟧\n");
    check("stringData:\n  foo: ⟦NqVwYS81VP7Hb1DX⟧\n");
    check("Token:\n\n⟦NqVwYS81VP7Hb1DX⟧\n");
    check("Token:\n```\n⟦NqVwYS81VP7Hb1DX⟧\n```\n");
    let items: String = (0..17).map(|_| "  - NqVwYS81VP7Hb1DX\n").collect();
    assert_eq!(
        seen(&["tokens:\n", &items].concat())
            .matches("NqVw")
            .count(),
        0
    );
    let items: String = (0..18).map(|_| "  - NqVwYS81VP7Hb1DX\n").collect();
    assert_eq!(
        seen(&["tokens:\n", &items].concat())
            .matches("NqVw")
            .count(),
        1
    );
}

#[test]
fn a_name_may_be_on_the_line_above() {
    check("password = (\n    \"⟦9f86d081884c7d65⟧\"\n)\n\"9f86d081884c7d65\"");
    check("token: >-\n  ⟦4eC39HqLyjWDarjtT1zdp7dc⟧\n");
    check("- name: DB_PASSWORD\n  value: ⟦x8kQ2vT9zLm4⟧\n- name: B\n  value: x8kQ2vT9zLm4\n");
    check("{\n  \"name\": \"API_TOKEN\",\n  \"value\": \"⟦4eC39HqLyjWDarjtT1zdp7dc⟧\"\n}");
    check(
        "variable \"db_password\" {\n  type      = string\n  sensitive = true\n  default   = \"⟦x8kQ2vT9zLm4⟧\"\n}\n",
    );
    check("DBPassword:\n  Type: String\n  NoEcho: true\n  Default: ⟦x8kQ2vT9zLm4⟧\n");
    check("\"ParameterKey\": \"DBPassword\",\n\"ParameterValue\": \"⟦x8kQ2vT9zLm4⟧\"\n");
    check("js-tokens@^4.0.0:\n  version \"4.0.0\"\n  integrity sha512-x8kQ2vT9zLm4x8kQ2vT9\n");
    check(
        "\"github-oauth\": {\n  \"github.com\": \"⟦9f86d081884c7d659a2feaa0c55ad0159f86d081⟧\"\n}\n",
    );
    check("\"js-tokens\": {\n  \"version\": \"9f86d081884c7d659a2feaa0c55ad0159f86d081\"\n}\n");
    check("variable \"region\" {\n  default = \"x8kQ2vT9zLm4\"\n}\n");
    check("set {\n  name  = \"auth.rootPassword\"\n  value = \"⟦x8kQ2vT9zLm4⟧\"\n}\n");
    check("- name: API_TOKEN\n  a: 1\n  b: 1\n  c: 1\n  d: 1\n  e: 1\n  value: x8kQ2vT9zLm4\n");
    check("- name: API_TOKEN\n- value: ⟦x8kQ2vT9zLm4⟧\n- value: x8kQ2vT9zLm4\n");
    check("variable \"db_password\" {\n}\nvariable \"a\" {\n  default = \"x8kQ2vT9zLm4\"\n}\n");
    check("- name: Get a token\n  uses: a/b@d72941d797fd3113feb6b93fd0dec494b13a2547\n");
}

#[test]
fn ordinary_code_about_secrets_is_no_secret() {
    check_all(&[
        "let token = self.tokens.next();",
        "password = os.environ[\"DATABASE_PASSWORD\"]",
        "API_TOKEN=\"${API_TOKEN}\"",
        "API_KEY=your-api-key-here",
        "{file = \"tokenize_rt-5.2.whl\", hash = \"sha256:9f86d081884c7d659a2feaa0c55ad015\"}",
        "github.com/a/token v1.0.0 h1:x8kQ2vT9zLm4x8kQ2vT9x8kQ2vT9zLm4x8kQ2vT9abc=",
        "tokenizer_sha256 = \"9f86d081884c7d659a2feaa0c55ad015\"",
        "sha1(b\"token\").hexdigest() == \"9f86d081884c7d659a2feaa0c55ad015\"",
        "PublicKeyToken=b77a5c561934e089",
        "const SEED: u64 = 0x243F_6A88_85A3_08D3;",
        "define!(IToken, IToken_Vtbl, 0x20_217d_11da_b2a4_000e7bbb2b09);",
        "const E_PASSWORD: HRESULT = 0x8004170B_u32 as _;",
        "fn name(token: DWORD) -> D3D10_SB_NAME_MASK4 {",
        "Creds: *mut KERB_S4U2PROXY_CRED,",
        "Seed::new(\"abczdef\", \"zzzzzzzzzzzzzzzzzzzzabczdef\")",
        "longopt_pat = r'[a-zA-Z](?:[a-zA-Z0-9-]*)'",
        "secret_arn = \"arn:aws:secretsmanager:eu-west-1:1234:secret/x8kQ2vT9zLm4\"",
        ".secret { background: url(data:image/png;base64,x8kQ2vT9zLm4x8kQ2vT9) }",
        "image: bitnami/sealed-secrets@sha256:9f86d081884c7d659a2feaa0c55ad015",
        "API_TOKEN=xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
        "token = \"0x6B175474E89094C44Da98b954EedeAC495271d0F\"",
        "// the mnemonic has twelve words or more and each of them comes from the list",
        "let title = \"legal winner thank year wave sausage worth useful legal winner thank yellow\";",
        "token = \"<token>\"",
        "def reset_password(user, token, new_password):",
        "\"password\": \"Please enter your new password\"",
        "const TOKEN_TYPE_SHA256 = 0x80000012;",
        "\"token.debug-token\": \"#b5cea8ff\",",
        "GITHUB_TOKEN: ${{ secrets.GITHUB_TOKEN }}",
        "password = \"password123\"",
        "secret = generate_secret(32)",
        "Sha256Token::new(Md5Digest::default())",
        "let secret_key = SecretKey::from_bytes(&bytes)?;",
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "sk-fading-circle-and-some-more-words-for-it",
        "commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
        "integrity: sha512-q7Zx91mNpLq7Zx91mNpL",
        "{\"file\":\"token.js\",\"mappings\":\"q7Zx91mNpLq7Zx91mNpL\"}",
        "if text.contains(\"-----BEGIN PRIVATE KEY-----\") {",
        "return",
        "secret: [u8; 8], long_hash_fn: LongHashFn128",
        "(Ed25519PrivateKey, Ed448PublicKey)",
        "`npm_config_allow_same_version`",
        "'return _PyCmplNoType(token)'",
        "ftp://rms:secret123@example.com",
        "tar -p x8kQ2vT9zLm4.tar",
        "openssl dgst -sha256 x8kQ2vT9zLm4.tar",
        "smbclient //h/s -U user x8kQ2vT9zLm4",
        "docker run -p 8080:x8kQ2vT9zLm4 -u admin:x8kQ2vT9zLm4",
        "token_endpoint = https://login.example.com/oauth2/v2.0/token",
        "postgres://user:password@localhost/db",
    ]);
}

/// Returns the body of a made-up key: `lines` full lines and a short last one.
fn body(lines: usize) -> String {
    let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n";
    line.repeat(lines) + "4f2E=\n"
}

#[test]
fn the_body_of_a_private_key_is_secret_whatever_text_is_around_its_lines() {
    for kind in ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "] {
        let (begin, end) = (
            format!("-----BEGIN {kind}PRIVATE KEY-----"),
            format!("-----END {kind}PRIVATE KEY-----"),
        );
        let text = format!("a = 1\n{begin}\n{}{end}\nb = 2\n", body(20));
        assert_eq!(seen(&text), format!("a = 1\n{begin}\n{end}\nb = 2\n"));
        let text = format!(
            "{begin}\nProc-Type: 4,ENCRYPTED\nDEK-Info: A,B\n\n{}{end}\n",
            body(3)
        );
        let left = format!("{begin}\nProc-Type: 4,ENCRYPTED\nDEK-Info: A,B\n\n{end}\n");
        assert_eq!(seen(&text), left);
    }
    let begin = "-----BEGIN PRIVATE KEY-----";
    for (before, around) in [
        ("  key: |", ("    ", "")),
        ("key = \"\" +", ("    \"", "\\n\" +")),
        ("// the key:", ("// ", "")),
        ("KEY = [", ("  '", "',")),
        ("KEY = (", ("    b\"", "\\n\"")),
        ("x", ("    @\"", "\" + ")),
        ("x", ("sb.append(\"", "\");")),
        ("x", ("echo \"", "\" >> key")),
        ("x", ("k = k & \"", "\" & vbCrLf & _")),
        ("x", ("% ", "<br>")),
        ("x", ("12:00:01 INFO ", "")),
        ("x", ("REM ", "")),
        ("x", ("-- ", "")),
        ("x", ("; ", "")),
    ] {
        let decorate = |line: &str| format!("{}{line}{}\n", around.0, around.1);
        let lines: String = body(3).lines().map(decorate).collect();
        let text = format!("{before}\n{}{lines}x = 1\n", decorate(begin));
        assert_eq!(seen(&text), format!("{before}\n{}x = 1\n", decorate(begin)));
    }
    check(
        "{\"private_key\": \"-----BEGIN PRIVATE KEY-----⟦\\nMIIEvQIBADANBgkqhkiG9w0B\\nabcd\\n⟧-----END PRIVATE KEY-----\\n\"}",
    );
    let putty = format!("Private-Lines: 4\n{}Private-MAC: 12\n", body(3));
    assert_eq!(seen(&putty), "Private-Lines: 4\nPrivate-MAC: 12\n");
}

#[test]
fn a_key_that_never_ends_is_secret_for_five_hundred_lines() {
    let begin = "-----BEGIN PRIVATE KEY-----\n";
    // A key's first line would be recognised on its own, so this is a later one.
    let line = "AoIBAQC7VJTUt9Us8cKjMzEfYyjiWA4R4aM2bS1GB4t7NXp98C3SC6dVMvDuictG\n";
    let text = begin.to_owned() + &line.repeat(601);
    assert_eq!(seen(&text).lines().count(), 1 + 601 - 512);
    let document = Document::new(&text, Version(0));
    let is_secret = |line: usize| holds_secret_at(&document, document.line_range(line).start);
    assert!(is_secret(1) && is_secret(512));
    assert!(!is_secret(513));
}

#[test]
fn the_cursor_below_a_header_is_where_a_key_belongs() {
    let document = Document::new("-----BEGIN PRIVATE KEY-----\n\nx = 1\n", Version(0));
    let at = |line: usize| holds_secret_at(&document, document.line_range(line).start);
    assert!(at(1));
    assert!(!at(0) && !at(2));
    let body = body(1);
    let body = body.lines().next().expect("a line");
    for sign in ["#", "//", "%", "REM", "rem", "--", ";", "*", "'"] {
        let header = format!("{sign} -----BEGIN PRIVATE KEY-----\n{sign} Version: 1\n");
        for (text, is_secret) in [
            (format!("{header}{sign} "), true),
            (format!("{header}{sign}"), true),
            (format!("{header}{sign} MIIE"), true),
            (format!("{header}{sign} {body}\n{sign} "), true),
            (format!("{header}{sign} {body}\n{sign} r8p"), true),
            (
                format!("{header}{sign} {body}\n{sign} -----END PRIVATE KEY-----\n{sign} "),
                false,
            ),
            (format!("{header}{sign} a comment."), false),
            (format!("{header}x = 1"), false),
        ] {
            let document = Document::new(&text, Version(0));
            let found = holds_secret_at(&document, Offset(text.len()));
            assert_eq!(found, is_secret, "{text}");
        }
    }
    assert!(!holds_secret("-----BEGIN PRIVATE KEY-----\n\nx = 1\n"));
}

#[test]
fn the_cursor_in_the_first_characters_of_a_line_of_a_key_is_where_it_belongs() {
    let line = "AoIBAQC7VJTUt9Us8cKjMzEfYyjiWA4R4aM2bS1GB4t7NXp98C3SC6dVMvDuictG";
    let header = "K = (\n    b\"-----BEGIN RSA PRIVATE KEY-----\\n\"\n";
    for (body, is_secret) in [
        ("    b\"r8p".to_owned(), true),
        (format!("    b\"{line}\\n\"\n    b\"r8p"), true),
        ("    return x".to_owned(), false),
        ("    b\"-----END".to_owned(), false),
    ] {
        let text = header.to_owned() + &body;
        let document = Document::new(&text, Version(0));
        let found = holds_secret_at(&document, Offset(text.len()));
        assert_eq!(found, is_secret, "{text}");
    }
}

#[test]
fn comments_attributes_and_operators_may_be_between_a_name_and_its_value() {
    check_all(&[
        "password:\n  # of the first server\n  ⟦NqVwYS81VP7Hb1DX⟧\n",
        "SECRET_KEY = (\n    // rotate me\n    \"⟦NqVwYS81VP7Hb1DX⟧\"\n)",
        "tokens = [\n    \"⟦NqVwYS81VP7Hb1DX⟧\",\n    # the other one\n    \"⟦8pPd5khxE3pyIgKp⟧\",\n]",
        "- name: DB_PASSWORD\n  # of staging\n  value: ⟦NqVwYS81VP7Hb1DX⟧\n",
        "enum Secrets {\n  @Internal\n  Mail = \"⟦NqVwYS81VP7Hb1DX⟧\",\n}",
        "export enum AppSecrets {\n  Mail = \"⟦NqVwYS81VP7Hb1DX⟧\",\n}",
        "const p = process.env.PASSWORD\n  || \"⟦NqVwYS81VP7Hb1DX⟧\";",
        "os.environ.get(\"API_TOKEN\")\n    or \"⟦NqVwYS81VP7Hb1DX⟧\"",
        "$password\n    = '⟦NqVwYS81VP7Hb1DX⟧';",
        "<input type=\"password\"\n       value=\"⟦NqVwYS81VP7Hb1DX⟧\">",
        "the first password\nor \"NqVwYS81VP7Hb1DX\"",
        "process.env.PASSWORD ??\n  \"⟦NqVwYS81VP7Hb1DX⟧\"",
        "process.env.PASSWORD\n  ?? process.env.MAIL\n  ?? \"⟦NqVwYS81VP7Hb1DX⟧\"",
        "env::var(\"API_TOKEN\")\n    .unwrap_or_else(|_| \"⟦NqVwYS81VP7Hb1DX⟧\".into())",
        "<input id='a' type='password' class='b'\n       name='c'\n       value='⟦NqVwYS81VP7Hb1DX⟧'>",
        "const PASSWORD: &str =\n    #[cfg(test)]\n    // of May\n    \"⟦NqVwYS81VP7Hb1DX⟧\";",
        "password =\n  [Obsolete]\n  \"⟦NqVwYS81VP7Hb1DX⟧\"",
        "process.env.HOST\n  || \"NqVwYS81VP7Hb1DX\";",
        "process.env.PASSWORD\nx = \"NqVwYS81VP7Hb1DX\";",
        "password:\n----------\n  NqVwYS81VP7Hb1DX is the commit\n",
        "{ type: \"token\",\n  value: \"NqVwYS81VP7Hb1DX\" }",
        "enum Tokens {\n  Mail = \"NqVwYS81VP7Hb1DX\",\n}",
    ]);
}

#[test]
fn a_name_above_may_be_followed_by_a_comment_or_the_opening_of_a_literal() {
    for open in [
        "password:  # of prod",
        "password: &pw",
        "password: !!str",
        "password: |2-",
        "password: | # c",
        "PASSWORD = (  # rotate",
        "\"passwords\": [ // prod",
        "password = \"\"\"",
        "password = `",
        "let password = r#\"",
        "read -r PASSWORD <<EOF",
        "PASSWORD=$(cat <<EOF",
        "password = <<-EOT",
        "PASSWORD = <<~TXT",
        "[secrets]",
        "[Tokens]",
        "PASSWORDS = {",
        "var passwords = map[string]string{",
        "function getPassword() {",
        "fn password() -> &'static str {",
    ] {
        check(&format!("{open}\n  \"⟦NqVwYS81VP7Hb1DX⟧\"\n"));
    }
    for open in [
        "fn main() {",
        "x = 1 # a",
        "[package]",
        "cat <<EOF",
        "a = `",
    ] {
        check(&format!("{open}\n  \"NqVwYS81VP7Hb1DX\"\n"));
    }
}

#[test]
fn a_stretch_ends_before_a_value_that_it_would_cut_in_two() {
    let text = "a = 1\ntoken = '9f86d081884c7d659a2feaa0c55ad015'\n";
    let document = Document::new(text, Version(0));
    assert_eq!(whole_end(&document, Offset(20)), Offset(6));
    assert_eq!(whole_end(&document, Offset(99)), Offset(text.len()));
    let long = format!(
        "{};token='9f86d081884c7d659a2feaa0c55ad015'",
        "x ".repeat(2000)
    );
    let document = Document::new(&long, Version(0));
    let end = whole_end(&document, Offset(4020));
    assert_eq!(&long[..end.0], &long[..long.find('\'').expect("a quote")]);
}

#[test]
fn the_accepted_text_is_checked_as_it_would_be_in_the_document() {
    let document = Document::new("token = \"9f86d)\n", Version(0));
    let cursor = Offset(14);
    assert!(writes_secret(&document, cursor, "081884c7d659a2f\"", ")"));
    assert!(!writes_secret(&document, cursor, "\"", ")"));
    let document = Document::new("x = 1\n", Version(0));
    assert!(writes_secret(
        &document,
        Offset(5),
        "\npassword = 'h7Gd93kKs02Lw'",
        ""
    ));
}

/// Returns how many of a thousand random values of this length are found after a name.
fn found(characters: &str, length: usize) -> usize {
    let characters: Vec<char> = characters.chars().collect();
    let mut state = 88_172_645_463_325_252_u64;
    let mut draw = move |most: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % most as u64) as usize
    };
    let is_found = |_: &i32| {
        let drawn = (0..length).map(|_| characters[draw(characters.len())]);
        holds_secret(&format!("token = \"{}\"", drawn.collect::<String>()))
    };
    (0..1000).filter(is_found).count()
}

#[test]
fn random_values_are_found() {
    let small = "abcdefghijklmnopqrstuvwxyz";
    let capitals = small.to_uppercase();
    let digits = "0123456789";
    let base62 = format!("{small}{capitals}{digits}");
    for (characters, at_16, at_24) in [
        (base62.as_str(), 960, 990),
        ("0123456789abcdef", 940, 985),
        ("0123456789ABCDEF", 940, 985),
        (&format!("{base62}+/"), 950, 990),
        (&format!("{base62}!@#$%^*"), 920, 980),
        (&format!("{small}{digits}"), 820, 940),
        (&format!("{capitals}234567"), 700, 930),
    ] {
        let here = (found(characters, 16), found(characters, 24));
        assert!(here.0 >= at_16 && here.1 >= at_24, "{characters}: {here:?}");
    }
}

#[test]
fn a_very_long_line_decides_nothing_about_the_next_one() {
    let long = "MIIE".repeat(5000);
    for above in ["-----BEGIN PRIVATE KEY-----", "password:"] {
        let document = Document::new(&format!("{above}\n{long}\nx = 1\n"), Version(0));
        assert_eq!(Scan::at(&document, 2), Scan::default());
    }
}

proptest! {
    /// A scan that starts at any line is in the same state as one that started at the top.
    #[test]
    fn the_lines_above_are_classified_alike_from_every_start(kinds in prop::collection::vec(0_usize..53, 0..60)) {
        let long = "MIIE".repeat(5000);
        let lines = [
            "x = 1", "", "-----BEGIN PRIVATE KEY-----", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj",
            "MIIEvQIBADANBgkqh", "4f2E=", "Version: 1", "password:", "-----END PRIVATE KEY-----",
            "k = \"-----BEGIN EC PRIVATE KEY-----\\n\" +", "- name: DB_PASSWORD", "key: token", "type: string", "value: x",
            &long, "\"tokens\": {", "  a: b", "  - a", "a", "tokens = [\"a\",", "data:",
            "  b\"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjMIIEvQ\\n\"", "addLongFunctionName(\"-----BEGIN PRIVATE KEY-----\"", "[secrets]", "password = \"\"\"",
            "process.env.PASSWORD", "  || \"NqVwYS81VP7Hb1DX\"", "# mine", "@Value", "enum Secrets {", "type=\"password\"",
            "name,password", "me,x8kQ2vT9zLm4", "INSERT INTO a (b, token) VALUES", "(1, 'x8kQ2vT9zLm4'),", "my_token", "<D>",
            "sb.append(\"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjMIIEvQ\\n\");", "sb.append(\"4f2E=\");", "REM", "| a | password |",
            "\"--password\",", "default = <<-EOT", "EOT", "{\"kty\": \"RSA\",", "\"d\": \"NqVwYS81VP7Hb1DX\",", "insert into u (", "password,", ") values (",
            "COPY a (b, token) FROM stdin;", "1\tNqVwYS81VP7Hb1DX", "aes_key[8] = {", "0x9f, 0x86, 0xd0, 0x81, 0x88, 0x4c, 0x7d, 0x65,",
        ];
        let text: Vec<&str> = kinds.iter().map(|kind| lines[*kind]).collect();
        let document = Document::new(&text.join("\n"), Version(0));
        let mut scan = Scan::default();
        for (line, content) in text.iter().enumerate() {
            prop_assert_eq!(Scan::at(&document, line), scan, "line {} of {:?}", line, text);
            scan.next(content);
        }
    }

    /// The result is the text with parts left out, it has the text's length if and only if the text
    /// holds no secret, and nothing panics.
    #[test]
    fn any_text_can_be_looked_through(text in "([a-zA-Z0-9=:\"' ./\\\\@é😀_-]{0,20}(token|password|ghp_)?\n?){0,6}") {
        let left = seen(&text);
        let mut all = text.chars();
        prop_assert!(left.chars().all(|c| all.any(|other| other == c)));
        prop_assert_eq!(left.len() == text.len(), !holds_secret(&text));
        let document = Document::new(&text, Version(0));
        for at in 0..=text.len() {
            whole_end(&document, Offset(at));
        }
    }
}
