// The runner of onnxruntime-node: `node main.js FOLDER`, where FOLDER/node_modules holds onnxruntime-node.
//
// It speaks the protocol of docs/runtimes.md over its standard input and output: one request at a time, in frames of a JSON
// header and the bytes of tensors. Outputs stay here under a handle until they are released.

'use strict';

const fs = require('fs');
const path = require('path');
const { readRequest, writeAnswer } = require('./frames');

const PROTOCOL = 1;
const MESSAGE_LIMIT = 2 ** 20;
const FAILED_ITSELF = 113;
const STDERR = 2;

// float16 goes through as bits: it has an array of its own from Node 24 on alone.
const ARRAYS = {
  bool: Uint8Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  float16: Uint16Array,
  float32: Float32Array,
  float64: Float64Array,
};

// Option of `load` → value → the option of a session.
const OPTIONS = {
  optimization: {
    disabled: { graphOptimizationLevel: 'disabled' },
    basic: { graphOptimizationLevel: 'basic' },
    extended: { graphOptimizationLevel: 'extended' },
  },
  memory_pattern: { disabled: { enableMemPattern: false } },
};
const ERRORS_ONLY = 3;

// Codes of errors of the machine or its network, whatever the runtime.
const MACHINE_CODES = new Set([
  ...['ENOMEM', 'ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'EIO', 'EAGAIN', 'ESTALE', 'ENOBUFS', 'EFBIG', 'ENETDOWN'],
  ...['ENETUNREACH', 'EHOSTUNREACH', 'ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'ETIMEDOUT', 'EAI_AGAIN', 'ENOTFOUND'],
]);

/** The answer to a request that is not fulfilled. */
class Refusal extends Error {
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

/** The words of what a runtime throws. */
function wordsOf(error) {
  try {
    return String(error instanceof Error ? error.message : error) || 'the runtime gives no reason';
  } catch {
    return 'the runtime throws what has no words';
  }
}

/** Its code, which those have that come from the system. */
function codeOf(error) {
  try {
    return error instanceof Error ? error.code : undefined;
  } catch {
    return undefined;
  }
}

/** What `action` gives; what it throws is the runtime's refusal, with its message unchanged. */
async function inRuntime(action) {
  try {
    return await action();
  } catch (error) {
    if (error instanceof Refusal) throw error;
    const message = wordsOf(error);
    const exhausted = error instanceof RangeError && message.includes('allocation failed');
    const lacking = MACHINE_CODES.has(codeOf(error));
    throw new Refusal(exhausted || lacking ? 'machine' : 'runtime', message);
  }
}

function demand(holds, message) {
  if (!holds) throw new Refusal('request', message);
}

/** Things under numbers that are given once each, from 1 on. */
class Handles {
  constructor(what) {
    this.what = what;
    this.held = new Map();
    this.last = 0;
  }

  add(thing) {
    this.last += 1;
    this.held.set(this.last, thing);
    return this.last;
  }

  get(number) {
    demand(this.held.has(number), `there is no ${this.what} ${JSON.stringify(number)}`);
    return this.held.get(number);
  }

  remove(number) {
    const thing = this.get(number);
    this.held.delete(number);
    return thing;
  }
}

class Runner {
  constructor(folder) {
    this.modules = path.join(path.resolve(folder), 'node_modules');
    this.ort = null;
    this.graphs = new Handles('graph');
    this.values = new Handles('value');
  }

  /** The answer to a request: [header, pieces of the body]. */
  async answer(header, body) {
    const known = { hello: this.hello, load: this.load, run: this.run, read: this.read, release: this.release };
    demand(Object.prototype.hasOwnProperty.call(known, header.do), `there is no request ${JSON.stringify(header.do)}`);
    demand(this.ort !== null || header.do === 'hello', 'the first request must be hello');
    demand(header.do === 'run' || body.length === 0, `${header.do} has no body`);
    return known[header.do].call(this, header, body);
  }

  async hello() {
    const versionOf = (name) => require(path.join(this.modules, name, 'package.json')).version;
    const versions = await inRuntime(() => ({
      'onnxruntime-node': versionOf('onnxruntime-node'),
      'onnxruntime-common': versionOf('onnxruntime-common'),
      node: process.versions.node,
    }));
    this.ort = await inRuntime(() => require(path.join(this.modules, 'onnxruntime-node')));
    this.ort.env.logLevel = 'error';
    return [{ protocol: PROTOCOL, versions }, []];
  }

  async load(header) {
    demand(typeof header.path === 'string', 'load needs a path');
    const options = sessionOptions(header.options === undefined ? {} : header.options);
    const session = await inRuntime(() => this.ort.InferenceSession.create(header.path, options));
    const names = await inRuntime(() => ({ inputs: [...session.inputNames], outputs: [...session.outputNames] }));
    return [{ graph: this.graphs.add(session), ...names }, []];
  }

  async run(header, body) {
    const session = this.graphs.get(header.graph);
    const feeds = await this.feeds(header.inputs, body);
    const missing = session.inputNames.filter((name) => !(name in feeds));
    const unknown = Object.keys(feeds).filter((name) => !session.inputNames.includes(name));
    demand(missing.length === 0 && unknown.length === 0, `missing inputs: ${missing}; unknown inputs: ${unknown}`);
    const results = await inRuntime(() => session.run(feeds));
    // All of them are described before one is held.
    const tensors = session.outputNames.map((name) => [name, results[name]]);
    const described = await inRuntime(() => tensors.map(([name, tensor]) => ({ name, ...this.form(name, tensor) })));
    const outputs = described.map((form, index) => ({ ...form, value: this.values.add(tensors[index][1]) }));
    return [{ outputs }, []];
  }

  /** What is said of an output; one that is absent, a sequence or a map is refused. */
  form(name, tensor) {
    if (!(tensor instanceof this.ort.Tensor)) throw new Refusal('runtime', `the output ${name} is no tensor`);
    return formOf(tensor);
  }

  /** The tensors that a run is given: held ones, and those in the body. */
  async feeds(inputs, body) {
    demand(Array.isArray(inputs), 'run needs a list of inputs');
    const feeds = Object.create(null);
    let start = 0;
    for (const input of inputs) {
      demand(input && typeof input.name === 'string', 'an input needs a name');
      demand(!(input.name in feeds), `the input ${input.name} is given twice`);
      if (input.value !== undefined) {
        feeds[input.name] = this.values.get(input.value);
        continue;
      }
      const end = start + bytesOf(input);
      demand(end <= body.length, `the body ends before the content of ${input.name}`);
      feeds[input.name] = await inRuntime(() => this.tensor(input, body.subarray(start, end)));
      start = end;
    }
    demand(start === body.length, `the body has ${body.length - start} bytes too many`);
    return feeds;
  }

  tensor({ dtype, shape }, bytes) {
    // A copy: a typed array must begin at a multiple of its element's size, and lives on after the request.
    const copy = new Uint8Array(bytes);
    return new this.ort.Tensor(dtype, new ARRAYS[dtype](copy.buffer), shape);
  }

  async read(header) {
    demand(Array.isArray(header.values), 'read needs a list of values');
    const tensors = header.values.map((number) => this.values.get(number));
    const values = await inRuntime(() => tensors.map(formOf));
    values.forEach(({ dtype }) => demand(isDtype(dtype), `a value of ${dtype} cannot be read`));
    // The binding of a runtime may fetch or copy what it is asked for here.
    const contents = await inRuntime(() => tensors.map(({ data }) => data));
    return [{ values }, contents.map((data) => Buffer.from(data.buffer, data.byteOffset, data.byteLength))];
  }

  async release(header) {
    const { values = [], graphs = [] } = header;
    for (const [numbers, handles] of [[values, this.values], [graphs, this.graphs]]) {
      demand(Array.isArray(numbers), 'release needs lists');
      demand(new Set(numbers).size === numbers.length, `a ${handles.what} is named twice`);
      numbers.forEach((number) => handles.get(number));
    }
    values.forEach((number) => this.values.remove(number));
    const sessions = graphs.map((number) => this.graphs.remove(number));
    // 1.16 has no release(): there the garbage collector frees a session.
    const ends = sessions.map((session) => inRuntime(() => session.release && session.release()));
    const refused = (await Promise.allSettled(ends)).find(({ status }) => status === 'rejected');
    if (refused) throw refused.reason;
    return [{}, []];
  }
}

function isDtype(name) {
  return Object.prototype.hasOwnProperty.call(ARRAYS, name);
}

function bytesOf({ name, dtype, shape }) {
  demand(isDtype(dtype), `${name} has the unknown dtype ${JSON.stringify(dtype)}`);
  const isShape = Array.isArray(shape) && shape.every((size) => Number.isSafeInteger(size) && size >= 0);
  demand(isShape, `${name} has no shape`);
  return shape.reduce((product, size) => product * size, ARRAYS[dtype].BYTES_PER_ELEMENT);
}

function formOf(tensor) {
  return { dtype: tensor.type, shape: [...tensor.dims] };
}

function sessionOptions(requested) {
  demand(requested !== null && typeof requested === 'object' && !Array.isArray(requested), 'options are no object');
  const options = {
    executionProviders: ['cpu'],
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: ERRORS_ONLY,
  };
  for (const [name, value] of Object.entries(requested)) {
    const values = Object.prototype.hasOwnProperty.call(OPTIONS, name) ? OPTIONS[name] : {};
    const known = Object.prototype.hasOwnProperty.call(values, value);
    demand(known, `there is no option ${JSON.stringify(name)} with the value ${JSON.stringify(value)}`);
    Object.assign(options, values[value]);
  }
  return options;
}

async function serve(runner) {
  for (let request = readRequest(); request !== null; request = readRequest()) {
    try {
      writeAnswer(...(await runner.answer(...request)));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      writeAnswer({ error: error.kind }, [Buffer.from(error.message, 'utf8').subarray(0, MESSAGE_LIMIT)]);
    }
    // Memory of the runtime is freed in a turn of the event loop, to which reading and writing above never return.
    await new Promise(setImmediate);
  }
}

// What a package prints must not get between the frames.
Object.defineProperty(process, 'stdout', { get: () => process.stderr });

serve(new Runner(process.argv[2])).then(
  () => process.exit(0),
  (error) => {
    try {
      fs.writeSync(STDERR, `the runner failed: ${error && error.stack}\n`);
    } finally {
      process.exit(FAILED_ITSELF);
    }
  },
);
