import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import { loadFileDescriptorSetFromBuffer, loadSync, type PackageDefinition } from "@grpc/proto-loader";
import { onTestFinished } from "vitest";

// What another team's backend has: stock @grpc/grpc-js, and nothing of ours but the address.

const options = { keepCase: false, longs: String, enums: String, defaults: true, oneofs: true };

type Method = (
  request: object,
  metadata: grpc.Metadata,
  options: grpc.CallOptions,
  callback: (error: grpc.ServiceError | null, answer: Record<string, unknown>) => void,
) => grpc.ClientUnaryCall;

type StreamMethod = (request: object, metadata: grpc.Metadata) => grpc.ClientReadableStream<Record<string, unknown>>;

/** A stream of answers, one after the other. */
export interface StockStream {
  next(): Promise<Record<string, unknown>>;
  cancel(): void;
}

export interface StockClient {
  /** Calls a unary method. */
  call(
    method: string,
    request: object,
    more?: { metadata?: Record<string, string>; options?: grpc.CallOptions },
  ): Promise<Record<string, unknown>>;
  /** Calls a method that streams its answers. */
  stream(method: string, request: object, more: { metadata?: Record<string, string> }): StockStream;
}

/** A client of a service, with definitions that the server itself answered. */
export async function stockClient(
  target: string,
  service: string,
  clientOptions: grpc.ClientOptions = {},
): Promise<StockClient> {
  return clientOf(await reflectedDefinitions(target, service), service, target, clientOptions);
}

/** A client of a service that is in a proto file of the checkout. */
export function fileClient(target: string, file: string, service: string): StockClient {
  return clientOf(loadSync(file, { ...options, includeDirs: ["proto"] }), service, target, {});
}

function clientOf(
  definitions: PackageDefinition,
  service: string,
  target: string,
  clientOptions: grpc.ClientOptions,
): StockClient {
  const client = open(definitions, service, target, clientOptions);
  const sentOf = (metadata: Record<string, string>) => {
    const sent = new grpc.Metadata();
    for (const [name, value] of Object.entries(metadata)) sent.set(name, value);
    return sent;
  };
  return {
    stream: (method, request, { metadata = {} }) => {
      const methods = client as unknown as Record<string, StreamMethod>;
      const messages = (methods[method] as StreamMethod).call(client, request, sentOf(metadata));
      messages.on("error", () => {}); // who reads it hears of it
      const reader = messages[Symbol.asyncIterator]();
      return { next: async () => (await reader.next()).value, cancel: () => messages.cancel() };
    },
    call: (method, request, { metadata = {}, options: callOptions = {} } = {}) =>
      new Promise((resolve, reject) => {
        const sent = sentOf(metadata);
        (client as unknown as Record<string, Method>)[method]?.(request, sent, callOptions, (error, answer) =>
          error ? reject(error) : resolve(answer),
        );
      }),
  };
}

function open(
  definitions: PackageDefinition,
  service: string,
  target: string,
  clientOptions: grpc.ClientOptions,
): grpc.Client {
  let found: grpc.GrpcObject | grpc.GrpcObject[string] = grpc.loadPackageDefinition(definitions);
  for (const part of service.split(".")) found = (found as grpc.GrpcObject)[part] as grpc.GrpcObject[string];
  const Client = found as grpc.ServiceClientConstructor;
  const client = new Client(target, grpc.credentials.createInsecure(), clientOptions);
  onTestFinished(() => client.close());
  return client;
}

interface ReflectionAnswer {
  listServicesResponse?: { service: { name: string }[] };
  fileDescriptorResponse?: { fileDescriptorProto: Buffer[] };
  errorResponse?: { errorCode: number; errorMessage: string };
}

/** Asks the server's reflection, `v1` or `v1alpha`. */
export function askReflection(target: string, request: object, version = "v1"): Promise<ReflectionAnswer> {
  const definitions = loadSync(`grpc/reflection/${version}/reflection.proto`, { ...options, includeDirs: ["proto"] });
  const client = open(definitions, `grpc.reflection.${version}.ServerReflection`, target, {});
  type Info = () => grpc.ClientDuplexStream<object, ReflectionAnswer>;
  const stream = (client as unknown as { serverReflectionInfo: Info }).serverReflectionInfo();
  return new Promise((resolve, reject) => {
    stream.on("data", resolve);
    stream.on("error", reject);
    stream.write(request);
    stream.end();
  });
}

async function reflectedDefinitions(target: string, service: string): Promise<PackageDefinition> {
  const { fileDescriptorResponse } = await askReflection(target, { fileContainingSymbol: service });
  const file = (fileDescriptorResponse?.fileDescriptorProto ?? []).map((bytes) =>
    fromBinary(FileDescriptorProtoSchema, bytes),
  );
  const set = toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file }));
  return loadFileDescriptorSetFromBuffer(Buffer.from(set), options);
}
