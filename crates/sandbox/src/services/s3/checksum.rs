//! The checksums that S3 takes, keeps and gives back.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use sha1::Digest as _;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Crc32,
    Crc32C,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    pub(super) const ALL: [Self; 5] = [Self::Crc32, Self::Crc32C, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    pub(super) fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32C => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// In base64, as the header carries it.
    pub(super) fn of(self, body: &[u8]) -> String {
        let crc32 = |algorithm| {
            let sum = u32::try_from(crc_fast::checksum(algorithm, body)).expect("a CRC-32 has 32 bits");
            sum.to_be_bytes().to_vec()
        };
        STANDARD.encode(match self {
            Self::Crc32 => crc32(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32C => crc32(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => crc_fast::checksum(CrcAlgorithm::Crc64Nvme, body).to_be_bytes().to_vec(),
            Self::Sha1 => sha1::Sha1::digest(body).to_vec(),
            Self::Sha256 => sha2::Sha256::digest(body).to_vec(),
        })
    }
}

/// An object's checksum: the client's, or the CRC-64 that S3 computes when there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checksum {
    pub(super) algorithm: Algorithm,
    pub(super) value: String,
}

impl Checksum {
    pub(super) fn of(algorithm: Algorithm, body: &[u8]) -> Self {
        Self { algorithm, value: algorithm.of(body) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_that_everyone_computes() {
        // The check values of each algorithm for "123456789": https://reveng.sourceforge.io/crc-catalogue/
        for (algorithm, sum) in [
            (Algorithm::Crc32, [0xcb, 0xf4, 0x39, 0x26].as_slice()),
            (Algorithm::Crc32C, &[0xe3, 0x06, 0x92, 0x83]),
            (Algorithm::Crc64Nvme, &[0xae, 0x8b, 0x14, 0x86, 0x0a, 0x79, 0x98, 0x88]),
        ] {
            assert_eq!(algorithm.of(b"123456789"), STANDARD.encode(sum), "{algorithm:?}");
        }
    }
}
