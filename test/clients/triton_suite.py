"""tritonclient against a running Goshawk.

    triton_suite.py http|http.aio|grpc|grpc.aio HTTP GRPC PICTURE MODEL [KEY]

HTTP and GRPC are HOST:PORT, MODEL a file that gives FP32 of rank 2 back. With KEY
the server asks for it. The four clients are one suite: their calls have the same
names.
"""

import asyncio
import importlib
import inspect
import queue
import sys

import ml_dtypes
import numpy as np
import table
import values
from tritonclient.utils import InferenceServerException

DOOR, HTTP, GRPC, PICTURE, MODEL = sys.argv[1:6]
KEY = sys.argv[6] if len(sys.argv) > 6 else None
IS_GRPC, AIO = DOOR.startswith("grpc"), DOOR.endswith(".aio")
HEADERS = {"authorization": f"Bearer {KEY}"} if KEY else {}
triton = importlib.import_module("tritonclient." + DOOR)
client = None

# What a status of HTTP is in gRPC.
CODES = {
    400: "StatusCode.INVALID_ARGUMENT",
    401: "StatusCode.UNAUTHENTICATED",
    404: "StatusCode.NOT_FOUND",
    413: "StatusCode.RESOURCE_EXHAUSTED",
    415: "StatusCode.INVALID_ARGUMENT",
    422: "StatusCode.INVALID_ARGUMENT",
    503: "StatusCode.UNAVAILABLE",
    504: "StatusCode.DEADLINE_EXCEEDED",
}


async def ask(method, *args, **kwargs):
    kwargs.setdefault("headers", HEADERS or None)
    result = getattr(client, method)(*args, **kwargs)
    return await result if inspect.isawaitable(result) else result


async def document(method, *args, **kwargs):
    """An answer as JSON, which is the gRPC client's to make."""
    if IS_GRPC:
        kwargs["as_json"] = True
    return await ask(method, *args, **kwargs)


def tensor(name, array, binary=True, datatype=None):
    from tritonclient.utils import np_to_triton_dtype

    t = triton.InferInput(name, list(array.shape), datatype or np_to_triton_dtype(array.dtype))
    return t.set_data_from_numpy(array) if IS_GRPC else t.set_data_from_numpy(array, binary_data=binary)


def output(name, binary=True, classes=0):
    if IS_GRPC:
        return triton.InferRequestedOutput(name, class_count=classes)
    return triton.InferRequestedOutput(name, binary_data=binary, class_count=classes)


async def refused(name, status, words, work, row=None):
    """A call that must fail, with this status and these words."""

    async def wanted():
        want = CODES[status] if IS_GRPC else str(status)
        try:
            got = await work()
        except InferenceServerException as error:
            assert error.status() == want, f"status {error.status()}, want {want}: {error.message()}"
            for word in words:
                assert word in error.message(), f"{error.message()!r} does not say {word!r}"
            return f"{error.status()}: {error.message()}"
        raise AssertionError(f"answered with {got}")

    await table.call(name, wanted, row=row)


def both(binaries):
    return binaries if not IS_GRPC else [(True, True)]


async def everything_of(datatype):
    """All ranks, an empty tensor, binary and JSON in all pairs."""
    for shape in [*values.SHAPES, values.EMPTY]:
        want, model = values.sample(datatype, shape), f"{datatype.lower()}-{len(shape)}"
        for binary_in, binary_out in both([(True, True), (True, False), (False, True), (False, False)]):
            how = "" if IS_GRPC else f", {'binary' if binary_in else 'JSON'} in, {'binary' if binary_out else 'JSON'} out"
            name = f"infer {datatype} {list(shape)}{how}"
            in_json = not binary_in and datatype in ("FP16", "BF16")
            out_json = not binary_out and datatype in ("FP16", "BF16")

            async def infer():
                return await ask("infer", model, [tensor("in", want, binary_in)], outputs=[output("out", binary_out)])

            async def echoed():
                got = (await infer()).as_numpy("out")
                if datatype == "BYTES" and not binary_out:  # JSON has text, and the client leaves it so
                    got = np.array([v.encode() for v in got.flatten()], dtype=np.object_).reshape(got.shape)
                return values.same(got, want)

            if datatype == "BF16" and not binary_in:
                continue  # the client itself refuses
            table.section("binary_tensor_data" if not IS_GRPC and (binary_in or binary_out) else table.PROTOCOL)
            if in_json or out_json:
                row = f"infer FP16, BF16 in each shape{how}", f"{CODES[400] if IS_GRPC else 400}: JSON cannot carry it, ask for binary data"
                await refused(name, 400, ["binary"], infer, row)
            else:
                await table.call(name, echoed, row=(f"infer each datatype, rank 0 to 4, empty{how}", "the same bits, type and shape"))


async def forms():
    table.section(table.PROTOCOL)
    array = np.arange(6, dtype=np.float32).reshape(2, 3)

    async def all_outputs():
        got = await ask("infer", "two", [tensor("x", array[0]), tensor("y", array[1])])
        values.same(got.as_numpy("sum"), array[0] + array[1])
        return values.same(got.as_numpy("product"), array[0] * array[1])

    async def other_order():
        got = await ask("infer", "two", [tensor("y", array[1]), tensor("x", array[0])], outputs=[output("product"), output("sum")])
        names = [o["name"] for o in got.get_response(**({"as_json": True} if IS_GRPC else {}))["outputs"]]
        assert names == ["product", "sum"], names
        return values.same(got.as_numpy("sum"), array[0] + array[1])

    async def one_output():
        got = await ask("infer", "two", [tensor("y", array[1]), tensor("x", array[0])], outputs=[output("product")])
        assert got.as_numpy("sum") is None, "an output that nobody asked for"
        return values.same(got.as_numpy("product"), array[0] * array[1])

    async def identified():
        got = await ask("infer", "fp32-2", [tensor("in", array)], request_id="a request/1", model_version="1", priority=3, timeout=5_000_000, parameters={"mine": "x", "count": 3, "yes": True})
        r = got.get_response(**({"as_json": True} if IS_GRPC else {}))
        assert r["id"] == "a request/1" and r["model_name"] == "fp32-2" and r["model_version"] == "1", r
        return values.same(got.as_numpy("out"), array)

    async def several_classified():
        got = await ask("infer", "two", [tensor("x", array[0]), tensor("y", array[1])], outputs=[output("sum", classes=2), output("product", binary=False, classes=1)])
        best = [[v.decode() if isinstance(v, bytes) else v for v in got.as_numpy(name).flatten()] for name in ("sum", "product")]
        assert best == [[f"{v:f}:0" for v in array[0] + array[1]], [f"{v:f}:0" for v in array[0] * array[1]]], best
        return "value:index of each row, of both"

    async def not_finite():
        odd = np.array([[np.nan, np.inf, -np.inf, -0.0]], dtype=np.float32)
        got = await ask("infer", "fp32-2", [tensor("in", odd)], outputs=[output("out")])
        return values.same(got.as_numpy("out"), odd)

    async def big():
        large = np.arange(15_000_000, dtype=np.float32).reshape(3, -1)
        got = await ask("infer", "fp32-2", [tensor("in", large)], outputs=[output("out")])
        return "60 MB: " + values.same(got.as_numpy("out"), large)

    async def big_json():
        large = np.linspace(-1, 1, 500_000, dtype=np.float32).reshape(2, -1)
        got = await ask("infer", "fp32-2", [tensor("in", large, binary=False)], outputs=[output("out", binary=False)])
        return values.same(got.as_numpy("out"), large)

    async def headed():
        extra = {"x-request-id": "from-the-client", **HEADERS}
        got = await ask("infer", "fp32-2", [tensor("in", array)], headers=extra)
        return values.same(got.as_numpy("out"), array)

    await table.call("infer two inputs, all outputs", all_outputs)
    await table.call("infer inputs and outputs in another order", other_order)
    await table.call("infer one output of two", one_output)
    table.section("classification")
    await table.call("infer two outputs, class_count of each", several_classified)
    table.section("parameters, schedule_policy")
    await table.call("infer request_id, version, priority, timeout, parameters", identified)
    table.section(table.PROTOCOL)
    await table.call("infer NaN and infinities", not_finite)
    await table.call("infer 60 MB", big)
    if not IS_GRPC:
        await table.call("infer 500,000 numbers as JSON", big_json)
    await table.call("infer with a header of the caller's", headed)


async def compressed():
    table.section("(compression)")
    array = np.zeros((200, 500), dtype=np.float32)
    for algorithm in ["gzip", "deflate"]:
        if IS_GRPC:
            ways = [{"compression_algorithm": algorithm}]
        else:
            ways = [{"request_compression_algorithm": algorithm}, {"response_compression_algorithm": algorithm}, {"request_compression_algorithm": algorithm, "response_compression_algorithm": algorithm}]
        for way in ways:

            async def squeezed():
                got = await ask("infer", "fp32-2", [tensor("in", array)], outputs=[output("out")], **way)
                return values.same(got.as_numpy("out"), array)

            await table.call("infer " + ", ".join(f"{k}={v}" for k, v in way.items()), squeezed)


async def errors():
    table.section(table.PROTOCOL)
    array = np.ones((2, 3), dtype=np.float32)
    good = tensor("in", array)

    def infer(model="fp32-2", inputs=None, **kwargs):
        return lambda: ask("infer", model, inputs or [good], **kwargs)

    def short():
        t = tensor("in", array)
        if IS_GRPC:
            t._raw_content = t._raw_content[:-1]
        else:
            t._raw_data = t._raw_data[:-1]
            t._parameters["binary_data_size"] = len(t._raw_data)
        return t

    def shared():
        return triton.InferInput("in", [2, 3], "FP32").set_shared_memory("region", 24)

    def remembered():
        o = output("out")
        o.set_shared_memory("region", 24)
        return o

    await refused("infer unknown model", 404, ["nobody"], infer("nobody"))
    await refused("infer unknown version", 404, ["fp32-2", "7"], infer(model_version="7"))
    await refused("infer version that is no number", 404, [], infer(model_version="latest"))
    await refused("infer wrong input name", 400, ["wrong", "in"], infer(inputs=[tensor("wrong", array)]))
    await refused("infer input twice", 400, ["twice"], infer(inputs=[good, tensor("in", array)]))
    await refused("infer missing input", 400, ["missing"], infer("two", inputs=[tensor("x", array[0])]))
    await refused("infer wrong datatype", 400, ["INT32", "FP32"], infer(inputs=[tensor("in", array.astype(np.int32))]))
    await refused("infer datatype that does not exist", 400, ["FP99"], infer(inputs=[wrong_type()]))
    await refused("infer wrong rank", 400, ["shape"], infer(inputs=[tensor("in", array[0])]))
    await refused("infer shape that the data do not fill", 400, ["in"], infer(inputs=[short()]))
    await refused("infer sizes that the model cannot add", 400, ["\"n\""], infer("two", inputs=[tensor("x", array[0]), tensor("y", array[1][:2])]))
    await refused("infer unknown output", 400, ["nothing"], infer(outputs=[output("nothing")]))
    await refused("infer output twice", 400, ["twice"], infer(outputs=[output("out"), output("out")]))
    await refused("infer negative shape", 400, [], infer(inputs=[negative()]))
    table.section("not served")
    await refused("infer input in shared memory", 400, ["shared memory"], infer(inputs=[shared()]))
    await refused("infer output into shared memory", 400, ["shared memory"], infer(outputs=[remembered()]))
    await refused("infer sequence", 400, ["equence"], infer(sequence_id=7, sequence_start=True))
    table.section("schedule_policy")
    await refused("infer timeout of 1 µs", 504, [], infer("imagenet", inputs=[pictures([open(PICTURE, "rb").read()] * 4)], timeout=1))
    table.section("classification")
    await refused("infer classification of text", 400, ["out"], infer("bytes-1", inputs=[tensor("in", values.sample("BYTES", (2,)))], outputs=[output("out", classes=2)]))
    table.section(table.PROTOCOL)
    await refused("infer more than a request may have", 413, [], infer(inputs=[tensor("in", np.zeros((5, 6_000_000), dtype=np.float32))]))
    await table.call("infer after all of these", alive)


def wrong_type():
    t = tensor("in", np.ones((2, 3), dtype=np.float32))
    if IS_GRPC:
        t._input.datatype = "FP99"
    else:
        t._datatype = "FP99"
    return t


def negative():
    t = tensor("in", np.ones((2, 3), dtype=np.float32))
    t.set_shape([-2, -3])
    return t


async def alive():
    array = np.ones((2, 3), dtype=np.float32)
    return values.same((await ask("infer", "fp32-2", [tensor("in", array)])).as_numpy("out"), array)


def pictures(data, column=False):
    array = np.array(data, dtype=np.object_)
    return tensor("input", array.reshape(-1, 1) if column else array)


async def of_pictures():
    cat = open(PICTURE, "rb").read()

    async def classified(n, column):
        got = await ask("infer", "imagenet", [pictures([cat] * n, column)], outputs=[output("logits", classes=3)])
        best = got.as_numpy("logits")
        assert best.shape == (n, 3), best.shape
        value, index, label = best[0][0].decode().split(":", 2)
        assert "cat" in label or "tabby" in label, label
        assert all((row == best[0]).all() for row in best)
        return f"{float(value):.2f}:{index}:{label} for each of {n}"

    async def floats():
        whole = np.zeros((2, 3, *SIDE), dtype=np.float32)
        got = await ask("infer", "imagenet", [tensor("input", whole)], outputs=[output("logits", binary=False)])
        assert got.as_numpy("logits").shape == (2, 1000)
        return "[2, 1000] from the tensor as the model defines it"

    table.section("(pictures), classification")
    await table.call("infer pictures BYTES [1]", classified, 1, False)
    await table.call("infer pictures BYTES [3]", classified, 3, False)
    await table.call("infer pictures BYTES [2,1]", classified, 2, True)
    table.section("(pictures)")
    await table.call("infer the picture model's own tensor", floats)
    await refused("infer a bad picture among good ones", 415, [], lambda: ask("infer", "imagenet", [pictures([cat, b"no picture", cat])]))
    await refused("infer a cut picture", 422, [], lambda: ask("infer", "imagenet", [pictures([cat[: len(cat) // 3]])]))
    await refused("infer pictures of a wrong rank", 400, ["[N,1]"], lambda: ask("infer", "imagenet", [tensor("input", np.array([[[cat]]], dtype=np.object_))]))
    await refused("infer no pictures", 400, [], lambda: ask("infer", "imagenet", [pictures([])]))


SIDE = (0, 0)


async def told():
    global SIDE

    async def true(method, *args, **kwargs):
        assert (await ask(method, *args, **kwargs)) is True
        return "true"

    async def no_model():
        # Triton's HTTP form has a status and no words; its gRPC form says that it is not ready.
        got = await ask("is_model_ready", "nobody")
        assert got is False, got
        return "false"

    async def server():
        m = await document("get_server_metadata")
        assert m["name"] == "goshawk" and m["version"], m
        assert "binary_tensor_data" in m["extensions"] and not any("shared_memory" in e for e in m["extensions"]), m
        return " ".join(m["extensions"])

    async def model(**kwargs):
        m = await document("get_model_metadata", "fp16-3", **kwargs)
        shape = [str(n) for n in m["inputs"][0]["shape"]]
        assert m["inputs"][0]["name"] == "in" and m["inputs"][0]["datatype"] == "FP16" and shape == ["-1"] * 3, m
        assert m["versions"] == ["1"] and m["platform"] == "onnxruntime_onnx", m
        return f"{m['platform']} versions {m['versions']} {m['inputs']}"

    async def scalar():
        m = await document("get_model_metadata", "int8-0")
        assert list(m["inputs"][0].get("shape", [])) == [], m
        return "shape []"

    async def picture():
        global SIDE
        m = await document("get_model_metadata", "imagenet")
        i = m["inputs"][0]
        SIDE = tuple(int(n) for n in i["shape"][2:])
        assert i["datatype"] == "FP32" and len(SIDE) == 2, m
        return f"{i}"

    async def config(**kwargs):
        c = await document("get_model_config", "imagenet", **kwargs)
        c = c.get("config", c)
        assert c["name"] == "imagenet" and c["backend"] == "onnxruntime", c
        assert c["input"][0]["data_type"] == "TYPE_FP32" and len(c["output"]) >= 1, c
        return f"max_batch_size {c.get('max_batch_size', 0)}, dims {c['input'][0]['dims']}"

    await table.call("is_server_live", true, "is_server_live")
    await table.call("is_server_ready", true, "is_server_ready")
    await table.call("is_model_ready", true, "is_model_ready", "fp32-2")
    await table.call("is_model_ready version", true, "is_model_ready", "fp32-2", model_version="1")
    await table.call("is_model_ready unknown model", no_model)
    await table.call("get_server_metadata", server)
    await table.call("get_model_metadata", model)
    await table.call("get_model_metadata version", model, model_version="1")
    await table.call("get_model_metadata of a scalar", scalar)
    await table.call("get_model_metadata of a picture model", picture)
    table.section("model_configuration")
    await table.call("get_model_config", config)
    await table.call("get_model_config version", config, model_version="1")
    await refused("get_model_config unknown model", 404, ["nobody"], lambda: ask("get_model_config", "nobody"))
    table.section(table.PROTOCOL)
    await refused("get_model_metadata unknown model", 404, ["nobody"], lambda: ask("get_model_metadata", "nobody"))
    await refused("get_model_metadata unknown version", 404, ["9"], lambda: ask("get_model_metadata", "fp32-2", model_version="9"))


async def counted():
    table.section("statistics")

    async def statistics(**kwargs):
        async def successes():
            s = await document("get_inference_statistics", "int64-1", **kwargs)
            return int(s["model_stats"][0]["inference_stats"]["success"].get("count", 0)), s

        before, _ = await successes()
        for _ in range(3):
            await ask("infer", "int64-1", [tensor("in", np.arange(4))])
        after, s = await successes()
        assert after == before + 3, f"{before} and then {after}"
        stats = s["model_stats"][0]["inference_stats"]
        assert all(k in stats for k in ["queue", "compute_input", "compute_infer", "compute_output", "fail"]), stats
        return f"3 more, compute_infer {stats['compute_infer']}"

    async def of_all():
        names = {m["name"] for m in (await document("get_inference_statistics"))["model_stats"]}
        assert {"imagenet", "cifar10", "two", "bytes-4"} <= names, names
        return f"{len(names)} models"

    await table.call("get_inference_statistics", statistics)
    await table.call("get_inference_statistics version", statistics, model_version="1")
    await table.call("get_inference_statistics of all", of_all)
    await refused("get_inference_statistics unknown model", 404, ["nobody"], lambda: ask("get_inference_statistics", "nobody"))


async def repository():
    table.section("model_repository")

    async def index():
        got = await document("get_model_repository_index")
        got = got["models"] if IS_GRPC else got
        states = {(m["name"], m["version"]): m["state"] for m in got}
        assert states[("fp32-2", "1")] == "READY" and ("cifar10", "1") in states, states
        return f"{len(got)} versions"

    async def unload():
        await ask("unload_model", "uint8-4")
        assert (await ask("is_model_ready", "uint8-4")) is False
        got = await document("get_model_repository_index")
        mine = [m for m in (got["models"] if IS_GRPC else got) if m["name"] == "uint8-4"]
        assert mine[0]["state"] == "UNAVAILABLE", mine
        return f"{mine}"

    async def load():
        await ask("load_model", "uint8-4")
        assert (await ask("is_model_ready", "uint8-4")) is True
        want = values.sample("UINT8", (2, 1, 2, 2))
        return values.same((await ask("infer", "uint8-4", [tensor("in", want)])).as_numpy("out"), want)

    await table.call("get_model_repository_index", index)
    await table.call("unload_model", unload)
    await refused("infer an unloaded model", 503, ["uint8-4"], lambda: ask("infer", "uint8-4", [tensor("in", values.sample("UINT8", (2, 1, 2, 2)))]))
    await table.call("load_model", load)
    await table.call("unload_model with dependents", unload_dependents)
    await refused("load_model unknown", 404, ["nobody"], lambda: ask("load_model", "nobody"))
    await refused("unload_model unknown", 404, ["nobody"], lambda: ask("unload_model", "nobody"))
    await refused("load_model with a file that is no model", 422, ["ONNX"], lambda: ask("load_model", "fp32-2", config="{}", files={"file:1/model.onnx": b"x"}))
    await refused("load_model with a file elsewhere", 400, ["file:"], lambda: ask("load_model", "fp32-2", config="{}", files={"file:../model.onnx": b"x"}))
    await refused("load_model with a wrong config", 422, ["ensemble"], lambda: ask("load_model", "fp32-2", config='{"ensemble_scheduling": {"step": []}}'))
    await table.call("load_model with config and file", brought)


async def brought():
    """A model that comes with the request, in three versions of which one is chosen."""
    with open(MODEL, "rb") as file:
        model = file.read()
    config = '{"max_batch_size": 4, "version_policy": {"specific": {"versions": [2]}}}'
    await ask("load_model", "brought", config=config, files={f"file:{n}/model.onnx": model for n in (1, 2, 3)})
    want = values.sample("FP32", (2, 3))
    got = await ask("infer", "brought", [tensor("in", want)])
    version = got.get_response().model_version if IS_GRPC else got.get_response()["model_version"]
    assert version == "2", f"version {version}"
    about = await document("get_model_config", "brought")
    about = about.get("config", about)
    assert int(about["max_batch_size"]) == 4 and len(about["input"][0]["dims"]) == 1, about
    values.same(got.as_numpy("out"), want)
    await ask("unload_model", "brought")
    return "served, version 2, and gone"


async def unload_dependents():
    await ask("unload_model", "uint8-4", unload_dependents=True)
    await ask("load_model", "uint8-4")
    return "unloaded and loaded"


def flat(settings):
    """gRPC's form has a list in each setting, in a member of its own."""
    settings = settings.get("settings", settings)
    out = {}
    for name, value in settings.items():
        value = value.get("value", value) if isinstance(value, dict) else value
        out[name] = ",".join(value) if isinstance(value, list) else value
    return out


async def settings():
    """What comes of these in files and lines is the Go test's to see."""

    async def trace():
        wish = {"trace_level": ["TIMESTAMPS"], "trace_rate": "1", "trace_count": "2"}
        got = flat(await document("update_trace_settings", model_name="fp32-2", settings=wish))
        assert got["trace_level"] == "TIMESTAMPS" and str(got["trace_rate"]) == "1", got
        assert flat(await document("get_trace_settings", model_name="fp32-2"))["trace_level"] == "TIMESTAMPS"
        got = flat(await document("get_trace_settings"))
        assert got["trace_level"] == "OFF", got
        for n in range(4):
            await ask("infer", "fp32-2", [tensor("in", values.sample("FP32", (2, 3)))], request_id=f"traced-{DOOR}-{n}")
        got = flat(await document("get_trace_settings", model_name="fp32-2"))
        assert str(got["trace_count"]) == "0", f"two were asked for, and {got['trace_count']} are left"
        wish = {"trace_level": None, "trace_rate": None, "trace_count": None}
        got = flat(await document("update_trace_settings", model_name="fp32-2", settings=wish))
        assert got["trace_level"] == "OFF", got
        return "two of four requests to one model, and back"

    async def log():
        got = flat(await document("update_log_settings", {"log_verbose_level": 2, "log_info": False, "log_format": "ISO8601"}))
        level, info = log_value(got["log_verbose_level"]), log_value(got["log_info"])
        assert int(level) == 2 and info is False, got
        await ask("get_server_metadata", headers={**HEADERS, "x-request-id": f"silent-{DOOR}"})
        await ask("is_model_ready", "fp32-2", headers={**HEADERS, "x-request-id": f"loud-{DOOR}"})
        await document("update_log_settings", {"log_verbose_level": 0, "log_info": True, "log_format": "default"})
        got = flat(await document("get_log_settings"))
        assert log_value(got["log_info"]) is True, got
        return "changed, and back"

    table.section("trace")
    await table.call("update_trace_settings, get_trace_settings", trace)
    table.section("logging")
    await table.call("update_log_settings, get_log_settings", log)
    table.section("trace")
    await refused("update_trace_settings unknown setting", 400, ["trace_pace"], lambda: ask("update_trace_settings", settings={"trace_pace": "1"}))
    for name, value in {"trace_file": "/etc/passwd", "trace_mode": "opentelemetry", "trace_level": ["TIMESTAMPS", "TENSORS"]}.items():
        await refused(f"update_trace_settings {name}", 400, [name.split("_")[1]], lambda n=name, v=value: ask("update_trace_settings", settings={n: v}))
    await refused("update_trace_settings wrong value", 400, [], lambda: ask("update_trace_settings", settings={"trace_level": ["LOUD"]}))
    await refused("get_trace_settings unknown model", 404, ["nobody"], lambda: ask("get_trace_settings", model_name="nobody"))
    table.section("logging")
    await refused("update_log_settings unknown setting", 400, ["log_color"], lambda: ask("update_log_settings", {"log_color": True}))
    await refused("update_log_settings of a file", 400, ["log_file"], lambda: ask("update_log_settings", {"log_file": "/etc/passwd"}))


def log_value(v):
    return next(iter(v.values())) if isinstance(v, dict) else v


async def memory():
    table.section("not served")
    global CODES
    was, CODES = CODES, {**CODES, 400: "StatusCode.UNIMPLEMENTED"}
    for method, args in {
        "get_system_shared_memory_status": (),
        "register_system_shared_memory": ("region", "/key", 24),
        "unregister_system_shared_memory": ("region",),
        "get_cuda_shared_memory_status": (),
        "register_cuda_shared_memory": ("region", b"aGFuZGxl", 0, 24),
        "unregister_cuda_shared_memory": (),
    }.items():
        await refused(method, 400, ["shared memory"], lambda: ask(method, *args))
    CODES = was


async def at_once():
    """Many calls that wait for each other's answers in no order."""
    table.section(table.PROTOCOL)
    wants = [np.full((1, 3), i, dtype=np.float32) for i in range(20)]

    async def together():
        if AIO:
            got = await asyncio.gather(*(ask("infer", "fp32-2", [tensor("in", w)]) for w in wants))
        elif IS_GRPC:
            done = queue.Queue()
            for i, w in enumerate(wants):
                client.async_infer("fp32-2", [tensor("in", w)], lambda result, error, i=i: done.put((i, result, error)), headers=HEADERS or None)
            got = [None] * len(wants)
            for _ in wants:
                i, result, error = done.get(timeout=30)
                assert error is None, error
                got[i] = result
        else:
            begun = [client.async_infer("fp32-2", [tensor("in", w)], headers=HEADERS or None) for w in wants]
            got = [b.get_result() for b in begun]
        for g, w in zip(got, wants):
            values.same(g.as_numpy("out"), w)
        return f"{len(wants)} answers, each its own"

    async def failing():
        if AIO:
            await ask("infer", "nobody", [tensor("in", wants[0])])
        elif IS_GRPC:
            done = queue.Queue()
            client.async_infer("nobody", [tensor("in", wants[0])], lambda result, error: done.put(error), headers=HEADERS or None)
            raise done.get(timeout=30)
        else:
            client.async_infer("nobody", [tensor("in", wants[0])], headers=HEADERS or None).get_result()

    await table.call("async_infer" if not AIO else "infer, 20 at once", together)
    await refused("async_infer of an unknown model" if not AIO else "infer of an unknown model, awaited", 404, ["nobody"], failing)
    if DOOR == "grpc":
        await table.call("async_infer, cancelled", cancelled)


async def cancelled():
    done = queue.Queue()
    cat = open(PICTURE, "rb").read()
    handle = client.async_infer("imagenet", [pictures([cat] * 30)], lambda result, error: done.put(error))
    handle.cancel()
    error = done.get(timeout=30)
    assert error is not None and "CANCELLED" in str(error.status()), error
    return str(error.status())


async def streams():
    table.section("(gRPC stream)")
    wants = [values.sample("FP32", (1, n + 1)) for n in range(8)]

    async def requests():
        for i, w in enumerate(wants):
            yield {"model_name": "fp32-2", "inputs": [tensor("in", w)], "request_id": str(i)}
            if i == 3:
                yield {"model_name": "nobody", "inputs": [tensor("in", w)], "request_id": "bad"}

    async def streamed(**kwargs):
        done = []
        if AIO:
            async for result, error in client.stream_infer(requests(), headers=HEADERS or None, **kwargs):
                done.append((result, error))
        else:
            answers = queue.Queue()
            client.start_stream(lambda result, error: answers.put((result, error)), headers=HEADERS or None, **kwargs)
            async for r in requests():
                client.async_stream_infer(**r)
            done = [answers.get(timeout=30) for _ in range(len(wants) + 1)]
            client.stop_stream()
        errors = [e for _, e in done if e is not None]
        assert len(errors) == 1 and "nobody" in errors[0].message(), errors
        good = [r for r, e in done if e is None]
        assert [r.get_response().id for r in good] == [str(i) for i in range(len(wants))], "the order is not the requests'"
        for r, w in zip(good, wants):
            values.same(r.as_numpy("out"), w)
        return f"{len(good)} answers in their order, and between them: {errors[0].message()}"

    for way in [{}, {"compression_algorithm": "gzip"}, {"compression_algorithm": "deflate"}]:
        await table.call(" ".join(["start_stream, async_stream_infer" if not AIO else "stream_infer", *way.values()]), streamed, **way)


async def keyed():
    """Probes need no key; all else says so."""
    table.section("(keys)")
    global HEADERS
    right, HEADERS = HEADERS, {}
    array = np.ones((2, 3), dtype=np.float32)

    async def probes():
        assert (await ask("is_server_live")) is True and (await ask("is_server_ready")) is True
        return "live and ready without a key"

    await table.call("is_server_live, is_server_ready without a key", probes)
    for what, HEADERS in [("without a key", {}), ("with a wrong key", {"authorization": "Bearer wrong"}), ("with Basic", {"authorization": "Basic eDp5"})]:
        await refused("infer " + what, 401, [], lambda: ask("infer", "fp32-2", [tensor("in", array)]))
        await refused("get_server_metadata " + what, 401, [], lambda: ask("get_server_metadata"))
        await refused("unload_model " + what, 401, [], lambda: ask("unload_model", "fp32-2"))
    HEADERS = right
    await table.call("infer with the key", alive)


async def main():
    global client
    if IS_GRPC:
        client = triton.InferenceServerClient(GRPC)
    elif AIO:
        client = triton.InferenceServerClient(HTTP)
    else:
        client = triton.InferenceServerClient(HTTP, concurrency=8, network_timeout=120)
    if KEY:
        await keyed()
    else:
        await told()
        for datatype in values.DATATYPES:
            await everything_of(datatype)
        for part in [forms, compressed, errors, of_pictures, counted, repository, settings, memory, at_once]:
            await part()
    if IS_GRPC:
        await streams()
    closing = client.close()
    if inspect.isawaitable(closing):
        await closing


asyncio.run(main())
table.end()
