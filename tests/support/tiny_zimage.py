"""Builds a tiny Z-Image pipeline with random weights, offline: `python tests/support/tiny_zimage.py FOLDER`.

The parts are those of the real model, only small: a Qwen3 text encoder of hidden size 16 with a byte-level
tokenizer, a transformer of width 16, a VAE with the real factor of 8 and the real 16 latent channels. What
it paints is noise; that it paints it reproducibly is what the tests are about.
"""

import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, ZImagePipeline, ZImageTransformer2DModel
from tokenizers.pre_tokenizers import ByteLevel
from transformers import Qwen2Tokenizer, Qwen3Config, Qwen3Model

WIDTH = 16
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHAT = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def build(folder, seed=0):
    """Write the pipeline into a folder, as `save_pretrained` lays it out."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pipeline = ZImagePipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
            vae=_vae(),
            text_encoder=_text_encoder(),
            tokenizer=_tokenizer(),
            transformer=_transformer(),
        )
    pipeline.save_pretrained(folder)
    return Path(folder)


def _tokenizer():
    words = {sign: number for number, sign in enumerate(sorted(ByteLevel.alphabet()))}
    tokenizer = Qwen2Tokenizer(vocab=words, merges=[], unk_token=None, pad_token=SPECIAL[0])
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL[1:])})
    tokenizer.chat_template = CHAT
    return tokenizer


def _text_encoder():
    return Qwen3Model(
        Qwen3Config(
            vocab_size=256 + len(SPECIAL), hidden_size=WIDTH, intermediate_size=32, num_hidden_layers=2,
            num_attention_heads=2, num_key_value_heads=1, head_dim=8, max_position_embeddings=1024,
        )
    ).eval()  # fmt: skip


def _transformer():
    return ZImageTransformer2DModel(
        in_channels=16, dim=WIDTH, n_layers=2, n_refiner_layers=1, n_heads=2, n_kv_heads=2,
        cap_feat_dim=WIDTH, axes_dims=[4, 2, 2], axes_lens=[1024, 128, 128],
    ).eval()  # fmt: skip


def _vae():
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 8, 8, 8), layers_per_block=1, latent_channels=16, norm_num_groups=4,
        scaling_factor=0.3611, shift_factor=0.1159, use_quant_conv=False, use_post_quant_conv=False,
        mid_block_add_attention=False,
    ).eval()  # fmt: skip


if __name__ == "__main__":
    build(sys.argv[1])
