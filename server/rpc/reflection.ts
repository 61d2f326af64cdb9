import { createRegistry, type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectRouter, type ServiceImpl } from "@connectrpc/connect";
import { ServerReflection, type ServerReflectionRequest } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionAlpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.ts";

/** Answers gRPC server reflection (v1, and v1alpha for older clients): which services there are, and their files. */
export function registerReflection(router: ConnectRouter, services: readonly DescService[]): void {
  const index = indexFiles(services);
  const reflection: ServiceImpl<typeof ServerReflection> = {
    async *serverReflectionInfo(requests) {
      for await (const request of requests) {
        yield { validHost: request.host, originalRequest: request, messageResponse: answer(index, services, request) };
      }
    },
  };
  router.service(ServerReflection, reflection);
  // The two versions are the same messages under two names.
  router.service(ServerReflectionAlpha, reflection as unknown as ServiceImpl<typeof ServerReflectionAlpha>);
}

interface Index {
  byName: Map<string, DescFile>;
  bySymbol: Map<string, DescFile>;
  /** `<extended message>/<field number>` */
  byExtension: Map<string, DescFile>;
  extensionNumbers: Map<string, number[]>;
}

function answer(index: Index, services: readonly DescService[], { messageRequest }: ServerReflectionRequest) {
  switch (messageRequest.case) {
    case "listServices":
      return {
        case: "listServicesResponse" as const,
        value: { service: services.map((service) => ({ name: service.typeName })) },
      };
    case "fileByFilename":
      return fileAnswer(index.byName.get(messageRequest.value), messageRequest.value);
    case "fileContainingSymbol":
      return fileAnswer(index.bySymbol.get(messageRequest.value), messageRequest.value);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = messageRequest.value;
      return fileAnswer(index.byExtension.get(`${containingType}/${extensionNumber}`), containingType);
    }
    case "allExtensionNumbersOfType": {
      const numbers = index.extensionNumbers.get(messageRequest.value);
      if (!numbers) return missing(messageRequest.value);
      const value = { baseTypeName: messageRequest.value, extensionNumber: numbers };
      return { case: "allExtensionNumbersResponse" as const, value };
    }
    default:
      return {
        case: "errorResponse" as const,
        value: { errorCode: Code.InvalidArgument, errorMessage: "an empty request" },
      };
  }
}

/** The file with everything that it imports, so that a client needs to ask once. */
function fileAnswer(file: DescFile | undefined, wanted: string) {
  if (!file) return missing(wanted);
  const files = new Set<DescFile>();
  collect(file, files);
  const fileDescriptorProto = [...files].map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
  return { case: "fileDescriptorResponse" as const, value: { fileDescriptorProto } };
}

function missing(wanted: string) {
  const value = { errorCode: Code.NotFound, errorMessage: `${wanted} is not known here` };
  return { case: "errorResponse" as const, value };
}

function collect(file: DescFile, into: Set<DescFile>): void {
  if (into.has(file)) return;
  into.add(file);
  for (const dependency of file.dependencies) collect(dependency, into);
}

function indexFiles(services: readonly DescService[]): Index {
  const files = new Set<DescFile>();
  for (const service of services) collect(service.file, files);
  const index: Index = {
    byName: new Map([...files].map((file) => [file.proto.name, file])),
    bySymbol: new Map(),
    byExtension: new Map(),
    extensionNumbers: new Map(),
  };
  for (const file of files) {
    for (const type of createRegistry(file)) {
      index.bySymbol.set(type.typeName, file);
      if (type.kind === "service") {
        for (const method of type.methods) index.bySymbol.set(`${type.typeName}.${method.name}`, file);
      } else if (type.kind === "message") {
        for (const field of type.fields) index.bySymbol.set(`${type.typeName}.${field.name}`, file);
      } else if (type.kind === "extension") {
        const extended = type.extendee.typeName;
        index.byExtension.set(`${extended}/${type.number}`, file);
        index.extensionNumbers.set(extended, [...(index.extensionNumbers.get(extended) ?? []), type.number]);
      }
    }
  }
  return index;
}
