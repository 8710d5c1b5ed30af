//! Vectors of our own, made by an independent script that also reproduces those of sdk-internal.

use super::*;

const IV: &str = "EBESExQVFhcYGRobHB0eHw==";
const ITEM_KEY: &str = "2.EBESExQVFhcYGRobHB0eHw==|OXxdM5KHVBeAeRYv36s0kTl6zgppH12112Mj1IYxj9t3u3uDXdLQSmjjwHb3rtpnjGwTd6mX5ql/n/eJP0BRwt+ybXTJNmATN4rswN+ktMo=|k7blSS4uYLTrLqaNAE6pLK/kC5LNtUAn0Sq7lBLQDHg=";
const UNDER_ITEM_KEY: &str = "2.EBESExQVFhcYGRobHB0eHw==|usaxMkShqS1I4uW/R5CnxQ==|9RcMgknMpWZgH1FUyA8Ff7hdHxBfIjHxvxcngYVc0PA=";
const UNDER_USER_KEY: &str = "2.EBESExQVFhcYGRobHB0eHw==|1zdeJ/hdKUwEADHS4nJnIA==|WykyjIIYiwRcguDgZEBhZDWtHbxiKc4XCxXSzmXXmfA=";
const EMPTY: &str = "2.EBESExQVFhcYGRobHB0eHw==|Wm4EVwj7cZbwLlU9AsOmkg==|MzMHRe5y76r5pwuKF183jpvqmLyq3M/NvlAwJdcuw98=";

fn key(bytes: std::ops::RangeInclusive<u8>) -> SymmetricKey {
    SymmetricKey::new(Zeroizing::new(bytes.collect()))
        .ok()
        .unwrap()
}

fn user_key() -> SymmetricKey {
    key(0..=0x3f)
}

fn error(text: &str, key: &SymmetricKey) -> ReadEncString {
    decrypt(text, key).unwrap_err()
}

#[test]
fn the_vectors_of_type_two_are_read_bit_for_bit() {
    let item_key = decrypt(ITEM_KEY, &user_key()).unwrap();
    assert_eq!(*item_key, (0x40..=0x7f).collect::<Vec<u8>>());
    let item_key = SymmetricKey::new(item_key).ok().unwrap();
    for (text, key, plain) in [
        (UNDER_ITEM_KEY, &item_key, "db-password"),
        (UNDER_USER_KEY, &user_key(), "db-password"),
        (EMPTY, &user_key(), ""),
    ] {
        assert_eq!(*decrypt(text, key).unwrap(), plain.as_bytes());
    }
    assert_eq!(error(UNDER_ITEM_KEY, &user_key()), ReadEncString::Mac);
}

#[test]
fn whatever_is_changed_is_refused_before_it_is_decrypted() {
    let [_, text, mac]: [&str; 3] = UNDER_USER_KEY
        .split('|')
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    let mut other = BASE64_STANDARD.decode(text).unwrap();
    other[15] ^= 1;
    let other = BASE64_STANDARD.encode(other);
    let zeroes = BASE64_STANDARD.encode([0; 16]);
    for changed in [
        format!("2.{IV}|{other}|{mac}"),
        format!("2.{zeroes}|{text}|{mac}"),
        format!("2.{IV}|{text}|{}", BASE64_STANDARD.encode([0; 32])),
    ] {
        assert_eq!(error(&changed, &user_key()), ReadEncString::Mac);
    }
    // Without its mac it would be taken by whoever is content with less.
    let stripped = format!("0.{IV}|{text}");
    assert_eq!(
        error(&stripped, &user_key()),
        ReadEncString::Unauthenticated
    );
    assert_eq!(
        error(&format!("{IV}|{text}"), &user_key()),
        ReadEncString::Unauthenticated
    );
}

#[test]
fn a_string_of_long_ago_is_read_under_a_key_of_long_ago() {
    let legacy = key(0..=0x1f);
    let mut bytes = b"old".to_vec();
    let cipher = UnboundCipherKey::new(&AES_256, legacy.encrypting()).unwrap();
    let cipher = PaddedBlockEncryptingKey::cbc_pkcs7(cipher).unwrap();
    let DecryptionContext::Iv128(iv) = cipher.encrypt(&mut bytes).unwrap() else {
        unreachable!()
    };
    let [iv, text] =
        [iv.as_ref().as_slice(), bytes.as_slice()].map(|part| BASE64_STANDARD.encode(part));
    for text in [format!("0.{iv}|{text}"), format!("{iv}|{text}")] {
        assert_eq!(*decrypt(&text, &legacy).unwrap(), b"old");
    }
    assert_eq!(error(UNDER_USER_KEY, &legacy), ReadEncString::OtherKind);
}

#[test]
fn what_is_not_read_is_named() {
    let key = user_key();
    for (text, expected) in [
        ("1.a|b|c", ReadEncString::Removed),
        ("a|b|c", ReadEncString::Removed),
        ("7.g1hLpQEDA3g=", ReadEncString::Cose),
        ("8.AAAA", ReadEncString::Unknown(8)),
        ("100.AAAA", ReadEncString::Unknown(100)),
        ("4.AAAA", ReadEncString::OtherKind),
        ("6.AAAA|AAAA", ReadEncString::OtherKind),
        ("", ReadEncString::Malformed),
        (".", ReadEncString::Malformed),
        ("plain text", ReadEncString::Malformed),
        ("+2.a|b|c", ReadEncString::Malformed),
        ("99999999999.a", ReadEncString::Malformed),
        ("2.a|b", ReadEncString::Malformed),
        ("2.a|b|c|d", ReadEncString::Malformed),
        ("2.AAAA|AAAA|AAAA", ReadEncString::Malformed),
        (
            "2.EBESExQVFhcYGRobHB0eHw==|*|AAAA",
            ReadEncString::Malformed,
        ),
    ] {
        assert_eq!(error(text, &key), expected, "{text}");
    }
    assert_eq!(unwrap(UNDER_USER_KEY, &[]), Err(ReadEncString::OtherKind));
    assert_eq!(unwrap("4.AAAA", &[]), Err(ReadEncString::Decrypt));
}

#[test]
fn what_is_encrypted_here_is_read_here_and_never_looks_the_same() {
    let key = user_key();
    for plain in ["", "a", "0123456789abcdef", "\0\n", &"x".repeat(65_536)] {
        let (one, other) = (
            encrypt(plain.as_bytes(), &key).unwrap(),
            encrypt(plain.as_bytes(), &key).unwrap(),
        );
        assert_ne!(one, other, "a fresh vector each time");
        assert_eq!(*decrypt(&one, &key).unwrap(), plain.as_bytes());
    }
}
