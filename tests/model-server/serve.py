"""Serves a real OpenAI-compatible endpoint on loopback, by llama.cpp, without downloading a model.

The model is made here: a llama of two small layers with random weights from a fixed seed. It knows nothing, so its free
text is noise; what is real is the server, the wire, the templates and the grammars. So the tests that use it must
  - send `tool_choice: "required"` when they want a call (left to itself the model calls nothing), or a `json_schema`;
  - bound what must not be long (`enum`, `maxLength`, `maximum`): strings end by themselves, but when is chance;
  - send `parallel_tool_calls: false`, or the grammar lets it call on and on.

    python serve.py [--port N]       prints `listening http://127.0.0.1:<port>/v1` once it answers, then serves

Without `--port` it takes a free one. It ends on SIGTERM or SIGINT, or when its parent process is gone.
"""

import argparse
import os
import signal
import socket
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import gguf
import numpy
import xllamacpp

SEED = 20261121
DIMENSION = 48
HEADS = 2
LAYERS = 2
FEED_FORWARD = 96
CONTEXT = 32768  # a token is a byte here

# How likely a token is beside the noise. Letters and digits; an opening brace, because llama.cpp lets text come before a
# call until one is written; quotes and the end of the answer, so that strings and free text end after a few characters;
# everything else only where a grammar leaves no choice.
WORDS = 0.2
OPENING = 0.6
QUOTE = 0.55
END = 0.5
WHITE_SPACE = -2.0
OTHERS = -0.6

CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
VOCABULARY = 264


def byte_names():
    """The 256 byte tokens under the names that GPT-2 tokenizers give them."""
    plain = set(range(0x21, 0x7F)) | set(range(0xA1, 0xAD)) | set(range(0xAE, 0x100))
    names, shifted = [], 0x100
    for byte in range(256):
        if byte in plain:
            names.append(chr(byte))
        else:
            names.append(chr(shifted))
            shifted += 1
    return names


def vocabulary():
    """Tokens, their kinds and the one merge that llama.cpp asks of such a tokenizer."""
    names = byte_names()
    space = names[ord(" ")]
    kind = gguf.TokenType
    tokens = [(name, kind.NORMAL) for name in names]
    tokens += [(name, kind.CONTROL) for name in CONTROL]
    tokens.append((space * 2, kind.NORMAL))
    tokens += [(f"<spare-{n}>", kind.UNUSED) for n in range(VOCABULARY - len(tokens))]
    return tokens, f"{space} {space}"


def leaning(token):
    if token >= 256:
        return END if token == 256 + CONTROL.index("<|im_end|>") else WHITE_SPACE
    character = chr(token)
    if character in '{"':
        return OPENING if character == "{" else QUOTE
    if character.isspace():
        return WHITE_SPACE
    return WORDS if character.isascii() and character.isalnum() else OTHERS


def tensors():
    """Every weight of the network by name."""
    random = numpy.random.default_rng(SEED)

    def noise(rows, columns):
        return random.normal(0.0, 0.05, (rows, columns)).astype(numpy.float32)

    ones = numpy.ones(DIMENSION, dtype=numpy.float32)
    embedding = noise(VOCABULARY, DIMENSION)
    head = noise(VOCABULARY, DIMENSION)
    # One dimension is constant through the network, so that the leaning reaches the logits.
    embedding[:, 0] = 1.0
    head[:, 0] = [leaning(token) for token in range(VOCABULARY)]
    yield "token_embd.weight", embedding
    for n in range(LAYERS):
        yield f"blk.{n}.attn_norm.weight", ones
        for part in ("q", "k", "v", "output"):
            yield f"blk.{n}.attn_{part}.weight", noise(DIMENSION, DIMENSION)
        yield f"blk.{n}.ffn_norm.weight", ones
        yield f"blk.{n}.ffn_gate.weight", noise(FEED_FORWARD, DIMENSION)
        yield f"blk.{n}.ffn_up.weight", noise(FEED_FORWARD, DIMENSION)
        yield f"blk.{n}.ffn_down.weight", noise(DIMENSION, FEED_FORWARD)
    yield "output_norm.weight", ones
    yield "output.weight", head


def write_model(path):
    tokens, merge = vocabulary()
    order = [name for name, _ in tokens]
    out = gguf.GGUFWriter(str(path), "llama")
    out.add_name("noise")
    out.add_file_type(gguf.LlamaFileType.ALL_F32)
    out.add_vocab_size(VOCABULARY)
    out.add_context_length(CONTEXT)
    out.add_embedding_length(DIMENSION)
    out.add_feed_forward_length(FEED_FORWARD)
    out.add_block_count(LAYERS)
    out.add_head_count(HEADS)
    out.add_head_count_kv(HEADS)
    out.add_rope_dimension_count(DIMENSION // HEADS)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("default")
    out.add_token_list(order)
    out.add_token_types([kind for _, kind in tokens])
    out.add_token_merges([merge])
    out.add_bos_token_id(order.index("<|endoftext|>"))
    out.add_eos_token_id(order.index("<|im_end|>"))
    out.add_add_bos_token(False)
    for name, values in tensors():
        out.add_tensor(name, values)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_somewhere(model):
    """On a free port; another program may take it in between, so more than once."""
    for _ in range(4):
        try:
            return start(model, free_port())
        except RuntimeError as cause:
            print(f"once more: {cause}", flush=True)
    return start(model, free_port())


def start(model, port):
    settings = xllamacpp.CommonParams()
    settings.model.path = str(model)
    settings.port = port  # on 127.0.0.1, which is llama.cpp's default
    settings.n_ctx = CONTEXT
    settings.n_parallel = 1
    settings.n_threads_http = 2
    settings.warmup = False
    settings.use_jinja = True
    settings.chat_template = Path(__file__).with_name("template.jinja").read_text(encoding="utf-8")
    for threads in (settings.cpuparams, settings.cpuparams_batch):
        threads.n_threads = 1
        threads.poll = 0  # idle threads sleep: tests share their machine
    return xllamacpp.Server(settings)


def wait_for_routes(address, stop):
    """The port is open before the routes are there: until then each request is answered with 404 or 503."""
    # No proxy of the environment stands between this process and itself.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(
        f"{address}/v1/chat/completions",
        data=b'{"messages":[{"role":"user","content":"ready?"}],"max_tokens":1}',
        headers={"Content-Type": "application/json"},
    )
    for _ in range(600):
        try:
            with opener.open(request, timeout=10) as answer:
                if answer.status == 200:
                    return
        except OSError as cause:
            last = cause
        if stop.wait(0.05):
            return
    raise SystemExit(f"no answer from {address}: {last}")


def main():
    arguments = argparse.ArgumentParser(description="A tiny real model server on loopback.")
    arguments.add_argument("--port", type=int, help="default: a free one")
    port = arguments.parse_args().port

    parent = os.getppid()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuze-model-") as directory:
        model = Path(directory) / "noise.gguf"
        write_model(model)
        server = start(model, port) if port else start_somewhere(model)
        address = server.listening_address.rstrip("/")
        wait_for_routes(address, stop)
        print(f"listening {address}/v1", flush=True)
        print(f"ready after {time.monotonic() - began:.2f} s", flush=True)
        while not stop.wait(0.5):
            if os.getppid() != parent:
                break
    # llama.cpp's threads need no farewell, and waiting for a request in flight could take long.
    os._exit(0)


if __name__ == "__main__":
    main()
