//! The bits of every scalar function, so that no change of them goes unseen.

use super::super::*;

/// Every 65,537th pattern, which are 65,536 from 0 to 2³²−1.
const STRIDE: usize = 65_537;

/// Name, digest of the results for the patterns of the sample, digest of the results for all patterns.
const DIGESTS: [(&str, &str, &str); 25] = [
    (
        "abs",
        "e06e91aaf65579b5db00b8fcf465182f1d72a26642890884f347970a37693971",
        "d0e7d7203c438af1ffee292a0d4035e9e6c1927c897cef07ba01fe645e10b0f2",
    ),
    (
        "neg",
        "e6037a299db89b4228f8e812e451dc2556ba70acec47237f158bf84d772fefb7",
        "e5315f6ded93f08cd487d46722ee1b43f5d1e2dc8a6895fa48eb6869243832d3",
    ),
    (
        "relu",
        "cde016c4a733c022ce338cf7c6f1e87f979ce4df3be43161a14342b10e6ffcee",
        "b235098dd1982a6762fd64e66cb64f913de11298471b18cf1fcc1993a0eb77f8",
    ),
    (
        "max",
        "e06e91aaf65579b5db00b8fcf465182f1d72a26642890884f347970a37693971",
        "d0e7d7203c438af1ffee292a0d4035e9e6c1927c897cef07ba01fe645e10b0f2",
    ),
    (
        "min",
        "6f34f96bd346c810979f82dcdc0202529a715908a20d0c1c617e1c1ed8b06f27",
        "2c05ee45862f19de484b6e0de26aae254ccae264833856b746aefd2065e0dbd0",
    ),
    (
        "rne",
        "c0254fcef1b782da972289d798b384b13cf2a0b334385842b398ab9164663b3b",
        "ede70580daa03ede0fbdf7d53ce25b4f2ecf15b42172303b887f47a797e43f74",
    ),
    (
        "floor",
        "709c6f12fd1eb6a4ae36ede176d0da6623c032aff082a8cebcc98da197338477",
        "a03f7891c88e1de41a64e443a50a532a6c28691d5029a183241d9d836443fd47",
    ),
    (
        "sqrt",
        "644784504e2eb280dadc4b73b8f8fd40da5dc40e0f0a1dd40c8e4da9f6317cd0",
        "4bb1aea7f8c2dd092e1881a40de706afdb040498afede29c32c38efd15dcabdd",
    ),
    (
        "scale_by_pow2",
        "98eca06c6fd3323e852a5e87c851f63647ea0164c00bf8e5dd8487dec77dfba1",
        "018d77b3555fa72a06b21d263918d1e60095f68410dbf72de194c5a4fad86d28",
    ),
    (
        "to_i32_rne",
        "4f65a7a47d693cd02985a32c72f98578b83ba22550086edb209f30813d6d24ee",
        "78742966d5e4a22a3cf7323c9a14cb4312279fe70e26804a53f7d3bd88aad210",
    ),
    (
        "from_i64",
        "de9acb65a32227c355aab9ddee621cf803fa4f5f3c12386c50f2a1498985036c",
        "80ecdb03634f37395f65d3e5af90337bc2e0439c39da5eb1d2453a5b0e6af3fd",
    ),
    (
        "pow2",
        "0e39c7522cc76fe543a9ff42173ab9db4b1ed9fdb6efca638f6787e7e55190a9",
        "13592e5480ca6bbf0c7ee18fcb440f09b031a2d721f2a060ba6a8087c8518da9",
    ),
    (
        "exp",
        "91ead0cabd3cb0693d14d9a0eee2a072182921a5dd3a21cde9cdd97b570e3bc1",
        "18526cf818d4d04abfd7f4d62eb49edd5ce0279ef16f140c01feb86161ab4146",
    ),
    (
        "ln",
        "3e80ed8d1753d28b14d9c5cf871379d28bec04b182a35fae3edcbcdd5a79dfbc",
        "e8afda6abd4967ef3ada76f4de971c8ef4b4c441c9a27e4fc54df32cab240e38",
    ),
    (
        "sigmoid",
        "7363919738cc8f5dcf7a63d85772b76306ce15c6295996c5cb4a6e4af854634f",
        "520488ea84e6de7d98b53887e0e6c61a307a5efeb3e4a607daea3029dab2ddb7",
    ),
    (
        "silu",
        "b2027a96ea0ea32e4dfe2a3690fa212ca1120f4b6a8d2b2f12f70a13c82de05c",
        "d1d5f1b50e2191dd2af9c7e72334d1bb64ca7ac45428c2317b1222af158155f8",
    ),
    (
        "silu_derivative",
        "4140c8ef2898c04b9b9f95a0c0cf050dbad14a8a2f1fe658d422bdfe82108e2d",
        "df2ca777a8b0b4fc05a6a908366f502e231eaa86c7a2293e55326f3f7dba6d66",
    ),
    (
        "tanh",
        "dec57acbeb00a66612610c954f0f31bcce215938c1633ac726adf690c3bd8cee",
        "1850f53aa41b60ec2ba022984c6ccddd824b87efa2d3c35a618ea585e90d63ef",
    ),
    (
        "erf",
        "490ba696ecab8707f3f533b3454c2fd435ff2d189f45922e8188c19ceef5d76c",
        "3578bff4f8eb85c813a066244dbefb3bbe0ab3dea648f797cacb72c8345f2bcc",
    ),
    (
        "gelu",
        "b783337fc6be0222975cc3f6c0dec415ab9c9694cfafd9e7285eff736dbbf6df",
        "f5ebaec4957508d04b24f86e08e633b9974871e8fa6c29ac4c496f416e52b232",
    ),
    (
        "gelu_derivative",
        "5c2c6ed2fa22ba73bc9e89b3dbaea7ae0784a22a631fa275bd564f92135e4158",
        "ad5ceeadad9c661e5dc75a168c34109c6253b3947fdc1abb9daa86eb872df685",
    ),
    (
        "gelu_tanh",
        "9865396a94b5c0d89ce6d16a5c31c96a832f71881a4ba73f7955dc54c40002d6",
        "74054f8b8a60b0736e431332aced64e6703e4d086ec6aa9b9fc10ffe01685d81",
    ),
    (
        "gelu_tanh_derivative",
        "17c30fa4f34a2d36c47aa188ab9fb60a274ba593e818d3716d864640f51fa62a",
        "f70e8390fbb8c263001d6e8258297eecf518a2cce34abedd1f3a4b5117a69da9",
    ),
    (
        "sin_turn",
        "0786a491d9808bf6eca5a44ab7a810903337b0921fa59971795f7cff0e306e8f",
        "6c8731a2a7be4ba6640a40df585eb607a6881dcd5bfab9b3301edb6e99f3567a",
    ),
    (
        "cos_turn",
        "5f222bc0b48cee7caaaecccffcafd20fc40cc86fa68e9b7ea909874711106ebd",
        "dd56b08a6f7fb7bf258449f10665ecb3defab7fdf0e523498a6dd8d56892dc93",
    ),
];

fn hex(digest: [u8; 32]) -> String {
    blake3::Hash::from_bytes(digest).to_hex().to_string()
}

#[test]
fn results_should_have_the_committed_bits() {
    let digests: Vec<_> = FUNCTIONS
        .iter()
        .map(|(name, function)| {
            let sample = (0..=u32::MAX).step_by(STRIDE);
            let bytes: Vec<u8> = sample.flat_map(|pattern| function(pattern).to_le_bytes()).collect();
            (*name, hex(*blake3::hash(&bytes).as_bytes()))
        })
        .collect();
    let committed: Vec<_> = DIGESTS
        .iter()
        .map(|(name, sample, _)| (*name, sample.to_string()))
        .collect();
    assert_eq!(digests, committed);
}

#[test]
#[ignore = "all 2^32 inputs of each function: some minutes; `cargo xtask exhaustive` runs it"]
fn results_for_every_input_should_have_the_committed_bits() {
    for (index, (name, _)) in FUNCTIONS.iter().enumerate() {
        let digest = hex(digest_range(index, 0, 1 << 32));
        println!("{name} {digest}");
        assert_eq!(
            DIGESTS.get(index).map(|(name, _, every)| (*name, *every)),
            Some((*name, digest.as_str()))
        );
    }
}
