//! Replies of all shapes, whole, in pieces, and damaged.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const ALL: Take = Take {
    most: 1 << 20,
    kept: 0,
};

/// All tokens in what arrives in these pieces, and whether more was wanted at the end.
fn tokens(pieces: &[&[u8]], take: Take) -> Result<Vec<Token>, ProtocolError> {
    let (mut decoder, mut buffer) = (Decoder::default(), BytesMut::new());
    let mut tokens = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while let Some(token) = decoder.next(&mut buffer, take)? {
            tokens.push(token);
        }
    }
    Ok(tokens)
}

fn encoded(token: &Token) -> Vec<u8> {
    let line = |kind: char, text: &Bytes| [kind.to_string().as_bytes(), text, b"\r\n"].concat();
    match token {
        Token::Array(length) => format!("*{length}\r\n").into_bytes(),
        Token::Int(number) => format!(":{number}\r\n").into_bytes(),
        Token::Null => b"$-1\r\n".to_vec(),
        Token::Status(text) => line('+', text),
        Token::Error(text) => line('-', text),
        Token::Bulk(text) | Token::Cut { start: text, .. } => {
            [format!("${}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat()
        }
    }
}

fn any_token() -> impl Strategy<Value = Token> {
    prop_oneof![
        (0..9usize).prop_map(Token::Array),
        any::<i64>().prop_map(Token::Int),
        Just(Token::Null),
        "[ -~]{0,40}".prop_map(|text| Token::Status(text.into())),
        "[ -~]{0,40}".prop_map(|text| Token::Error(text.into())),
        vec(any::<u8>(), 0..100).prop_map(|bytes| Token::Bulk(bytes.into())),
    ]
}

proptest! {
    #[test]
    fn tokens_are_read_as_they_were_written_wherever_they_are_split(
        written in vec(any_token(), 1..12),
        split in any::<prop::sample::Index>(),
    ) {
        let bytes: Vec<u8> = written.iter().flat_map(encoded).collect();
        let (first, second) = bytes.split_at(split.index(bytes.len() + 1));
        prop_assert_eq!(tokens(&[first, second], ALL), Ok(written.clone()));
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        prop_assert_eq!(tokens(&single, ALL), Ok(written));
    }

    #[test]
    fn what_is_too_long_is_cut_wherever_it_is_split(
        text in vec(any::<u8>(), 0..200),
        most in 0..100usize,
        kept in 0..100usize,
        split in any::<prop::sample::Index>(),
    ) {
        let bytes = [encoded(&Token::Bulk(text.clone().into())), b":7\r\n".to_vec()].concat();
        let (first, second) = bytes.split_at(split.index(bytes.len() + 1));
        let expected = if text.len() <= most {
            Token::Bulk(text.into())
        } else {
            Token::Cut { start: Bytes::copy_from_slice(&text[..kept.min(text.len())]), size: text.len() as u64 }
        };
        let read = tokens(&[first, second], Take { most, kept });
        prop_assert_eq!(read, Ok(vec![expected, Token::Int(7)]));
    }

    #[test]
    fn any_bytes_are_tokens_or_an_error(bytes in vec(any::<u8>(), 0..300), kind in "[-+:$*]") {
        let _ = tokens(&[&bytes], ALL);
        let _ = tokens(&[kind.as_bytes(), &bytes], ALL);
    }
}

#[test]
fn damage_is_named() {
    for (bytes, said) in [
        (&b"%1\r\n"[..], "begins with the byte 0x25"),
        (b"$12x\r\n", "\"12x\" is not a length"),
        (b"$-2\r\n", "-2 is not a length"),
        (b"$99999999999999999999\r\n", "is not a length"),
        (b"*1234567890123456789012", "longer than 21 bytes"),
        (b"$2\r\nabc\r\n", "CR LF"),
        (b"+a\rb\r\n", "CR LF"),
    ] {
        let error = tokens(&[bytes], ALL).expect_err(said).to_string();
        assert!(error.contains(said), "{error}");
    }
    let line = vec![b'-'; MAX_LINE + 2];
    assert_eq!(tokens(&[&line], ALL), Err(ProtocolError::Line(MAX_LINE)));
}

/// A length is only a claim: nothing is reserved for more than the caller takes.
#[test]
fn an_absurd_length_costs_nothing() {
    let claim = format!("${}\r\n", i64::MAX);
    let text = vec![b'x'; 100];
    let read = tokens(&[claim.as_bytes(), &text], Take { most: 10, kept: 3 });
    assert_eq!(read, Ok(vec![]));
}

#[tokio::test]
async fn what_arrives_together_shares_its_bytes_and_a_closed_socket_is_an_error() {
    let (mut server, client) = tokio::io::duplex(1 << 10);
    let mut replies = Replies::new(client, Duration::from_secs(5));
    replies.send(b"PING", Duration::from_secs(5)).await.unwrap();
    server
        .write_all(b"$3\r\nabc\r\n$3\r\ndef\r\n")
        .await
        .unwrap();
    let (Token::Bulk(first), Token::Bulk(second)) = (
        replies.token(ALL).await.unwrap(),
        replies.token(ALL).await.unwrap(),
    ) else {
        panic!("two bulk strings");
    };
    assert_eq!((&first[..], &second[..]), (&b"abc"[..], &b"def"[..]));
    // `def` lies behind `abc`, `\r\n`, `$3` and `\r\n`.
    assert_eq!(second.as_ptr() as usize - first.as_ptr() as usize, 9);
    drop(server);
    let error = replies.token(ALL).await.unwrap_err();
    assert!(error.is_io_error(), "{error}");
}
