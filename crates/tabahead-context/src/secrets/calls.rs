//! Calls that take a password or a key as an argument, though nothing but the function's name says so.
//!
//! Looks at the text before a literal; `line.rs` asks only about what looks random.

/// Maximum distance between a literal and the call that it is an argument of, in bytes.
const CALL_REACH: usize = 96;

/// Beginnings of such calls.
const CALLS: [&str; 25] = [
    ".login(",
    "pymysql.connect(",
    "MySQLdb.connect(",
    "new mysqli(",
    "mysqli_connect(",
    "mysql_connect(",
    "new PDO(",
    "DriverManager.getConnection(",
    "WiFi.begin(",
    "jwt.encode(",
    "jwt.verify(",
    "JWT::encode(",
    ".HMAC256(",
    ".HMAC384(",
    ".HMAC512(",
    ".hmacShaKeyFor(",
    "createHmac(",
    "createCipheriv(",
    "createDecipheriv(",
    "hmac.new(",
    "Fernet(",
    "AES.new(",
    "SecretKeySpec(",
    "SymmetricSecurityKey(",
    "cookieParser(",
];

/// Returns whether a literal is an argument of such a call: `before` ends with its quote.
pub(super) fn is_argument_of_secret(before: &str) -> bool {
    let Some(before) = before.strip_suffix(['"', '\'', '`']) else {
        return false;
    };
    let near = last(before, CALL_REACH);
    CALLS.iter().any(|call| {
        near.rfind(call)
            .is_some_and(|at| !near[at + call.len()..].contains(')'))
    })
}

/// Returns the end of a text, of at most `length` bytes.
pub(super) fn last(text: &str, length: usize) -> &str {
    let mut start = text.len().saturating_sub(length);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}
