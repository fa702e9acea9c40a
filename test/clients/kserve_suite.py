"""KServe's inference clients against a running Goshawk.

    kserve_suite.py URL GRPC PICTURE [KEY]
"""

import asyncio
import logging
import sys

import kserve_root  # isort: skip
import grpc
import httpx
import numpy as np
import table
import values
from kserve.inference_client import InferenceGRPCClient, InferenceRESTClient, RESTConfig
from kserve.protocol.infer_type import InferInput, InferRequest, RequestedOutput

URL, GRPC, PICTURE = sys.argv[1:4]
KEY = sys.argv[4] if len(sys.argv) > 4 else None
HEADERS = {"authorization": f"Bearer {KEY}"} if KEY else {}
METADATA = list(HEADERS.items())
logging.disable(logging.CRITICAL)

SAME = "the same bits, type and shape"

# numpy has no BF16, and so KServe has none.
DATATYPES = [d for d in values.DATATYPES if d != "BF16"]


def request(model, array, binary, datatype, outputs=None, **kwargs):
    i = InferInput("in", list(array.shape), datatype)
    i.set_data_from_numpy(array, binary_data=binary)
    return InferRequest(model, [i], request_outputs=outputs, **kwargs)


def equal(got, want):
    got = got.outputs[0].as_numpy()
    if want.dtype == np.object_:
        got = np.array([v.encode() if isinstance(v, str) else v for v in got.flatten()], dtype=np.object_).reshape(got.shape)
    return values.same(got, want)


async def refused(name, status, words, work):
    async def wanted():
        try:
            got = await work
        except httpx.HTTPStatusError as error:
            assert error.response.status_code == status, error
            assert all(w in str(error) for w in words), error
            return str(error).split(" for url")[0]
        except grpc.RpcError as error:
            assert error.code() == status, error
            assert all(w in error.details() for w in words), error
            return f"{error.code()}: {error.details()}"
        raise AssertionError(f"answered with {got}")

    await table.call(name, wanted)


async def probes(what, rest, grpc_client, keyed):
    async def says(want, work):
        got = await work
        assert got is want, f"{got}, want {want}"
        return got

    headers, metadata = (HEADERS, METADATA) if keyed else ({}, [])
    for name in ["is_server_live", "is_server_ready"]:
        await table.call(f"REST {name}{what}", says, True, getattr(rest, name)(URL, headers=headers))
        await table.call(f"gRPC {name}{what}", says, True, getattr(grpc_client, name)(headers=metadata))
    if keyed:
        for model, ready in {"fp32-2": True, "nobody": False}.items():
            await table.call(f"REST is_model_ready {model}", says, ready, rest.is_model_ready(URL, model, headers=headers))
            await table.call(f"gRPC is_model_ready {model}", says, ready, grpc_client.is_model_ready(model, headers=metadata))


async def tensors(rest, grpc_client):
    async def by_rest(model, array, *rest_of, **kwargs):
        return equal(await rest.infer(URL, request(model, array, *rest_of, **kwargs), model_name=model, headers=dict(HEADERS)), array)

    async def by_grpc(model, array, *rest_of):
        return equal(await grpc_client.infer(request(model, array, *rest_of), headers=METADATA), array)

    for datatype in DATATYPES:
        for shape in values.SHAPES:
            array, model = values.sample(datatype, shape), f"{datatype.lower()}-{len(shape)}"
            for binary in [True, False]:
                if datatype == "FP16" and not binary:
                    continue  # the client itself refuses
                how = "raw" if binary else "in JSON"
                as_sent = [RequestedOutput("out", {"binary_data": True})]
                outputs = as_sent if datatype == "FP16" else None
                each = "infer each datatype but BF16, rank 0 to 4"
                await table.call(f"REST infer {datatype} {list(shape)}, {how}", by_rest, model, array, binary, datatype, outputs, row=(f"REST {each}, {how}", SAME))
                await table.call(f"REST infer {datatype} {list(shape)}, {how}, raw out", by_rest, model, array, binary, datatype, as_sent, row=(f"REST {each}, {how}, raw out", SAME))
                how = "raw" if binary else "typed contents"
                await table.call(f"gRPC infer {datatype} {list(shape)}, {how}", by_grpc, model, array, binary, datatype, row=(f"gRPC {each}, {how}", SAME))
    await table.call("REST infer, binary_data_output", by_rest, "fp16-1", values.sample("FP16", (5,)), True, "FP16", None, parameters={"binary_data_output": True})

    async def nested():
        got = await rest.infer(URL, {"inputs": [{"name": "in", "shape": [2, 2], "datatype": "INT64", "data": [[1, 2], [3, 4]]}]}, model_name="int64-2", headers=dict(HEADERS))
        assert got.outputs[0].data == [1, 2, 3, 4] and got.model_name == "int64-2", got
        return got.outputs[0].data

    async def by_input():
        data = InferRequest("int64-2", [InferInput("in", [2, 2], "INT64", data=[[1, 2], [3, 4]])])
        got = await rest.infer(URL, data, model_name="int64-2", headers=dict(HEADERS))
        assert got.id and got.outputs[0].data == [1, 2, 3, 4], got
        return f"{got.outputs[0].data}, with the id that the client gave it"

    await table.call("REST infer of a dict with nested data", nested)
    await table.call("REST infer of an InferInput with nested data", by_input)


async def of_pictures(rest):
    cat = open(PICTURE, "rb").read()

    async def classified():
        i = InferInput("input", [2], "BYTES")
        i.set_data_from_numpy(np.array([cat, cat], dtype=np.object_), binary_data=True)
        best = RequestedOutput("logits", {"classification": 2})
        got = await rest.infer(URL, InferRequest("imagenet", [i], request_outputs=[best]), model_name="imagenet", headers=dict(HEADERS))
        assert got.outputs[0].shape == [2, 2] and "cat" in got.outputs[0].data[0], got
        return got.outputs[0].data[0]

    await table.call("REST infer encoded pictures, classified", classified)


async def errors(rest, grpc_client):
    array = np.ones((2, 3), dtype=np.float32)

    def infer(model, sent=None):
        return rest.infer(URL, sent or request("fp32-2", array, True, "FP32"), model_name=model, headers=dict(HEADERS))

    await refused("REST infer unknown model", 404, ["nobody"], infer("nobody"))
    await refused("REST infer wrong datatype", 400, ["FP32", "INT32"], infer("fp32-2", request("fp32-2", array.astype(np.int32), True, "INT32")))
    await refused("REST infer no inputs", 400, ["inputs"], infer("fp32-2", {"instances": [[1]]}))
    await refused("gRPC infer unknown model", grpc.StatusCode.NOT_FOUND, ["nobody"], grpc_client.infer(request("nobody", array, True, "FP32"), headers=METADATA))


async def first_protocol():
    """KServe's protocol v1 is not served; /v1 is Goshawk's own."""
    old = InferenceRESTClient(RESTConfig(protocol="v1"))
    await refused("REST v1 infer", 405, ["405"], old.infer(URL, {"instances": [[1.0]]}, model_name="imagenet", headers=dict(HEADERS)))
    await refused("REST v1 explain", 405, ["405"], old.explain(URL, "imagenet", {"instances": [[1.0]]}, headers=dict(HEADERS)))

    async def ready():
        got = await old.is_model_ready(URL, "imagenet", headers=HEADERS)
        assert not got, got
        return f"{got}: the model's document is there and has no \"ready\""

    await table.call("REST v1 is_model_ready", ready)
    await old.close()


async def main():
    rest = InferenceRESTClient(RESTConfig(protocol="v2"))
    grpc_client = InferenceGRPCClient(GRPC, channel_args=[("grpc.enable_retries", 0)])
    if KEY:
        await probes(" without a key", rest, grpc_client, keyed=False)
        await refused("REST infer without a key", 401, ["key"], rest.infer(URL, request("fp32-2", np.ones((2, 3), dtype=np.float32), True, "FP32"), model_name="fp32-2"))
        await refused("gRPC infer without a key", grpc.StatusCode.UNAUTHENTICATED, ["key"], grpc_client.infer(request("fp32-2", np.ones((2, 3), dtype=np.float32), True, "FP32")))
    await probes("", rest, grpc_client, keyed=True)
    await tensors(rest, grpc_client)
    await of_pictures(rest)
    await errors(rest, grpc_client)
    await first_protocol()
    await rest.close()
    await grpc_client.close()


asyncio.run(main())
table.end()
