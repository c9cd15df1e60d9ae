// What every answer of the API is wrapped in.

export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** A result with the information by which lists are paged. */
export class Page {
  constructor(all, query, maximum = 50) {
    const page = Number(query.get("page") ?? 1);
    const size = Number(query.get("per_page") ?? 20);
    if (!(page >= 1) || !(size >= 1 && size <= maximum)) {
      throw new ApiError(400, 1006, "Invalid or missing pagination parameters");
    }
    this.result = all.slice((page - 1) * size, page * size);
    this.info = {
      page,
      per_page: size,
      count: this.result.length,
      total_count: all.length,
      total_pages: Math.max(1, Math.ceil(all.length / size)),
    };
  }
}

export function envelope(result) {
  if (result instanceof Page) {
    return { success: true, errors: [], messages: [], result: result.result, result_info: result.info };
  }
  return { success: true, errors: [], messages: [], result: result ?? null };
}

export function failure(error) {
  return { success: false, errors: [{ code: error.code, message: error.message }], messages: [], result: null };
}

/** The JSON of a request; its members must be among `allowed`, and `needed` must be there. */
export function json(request, bytes, needed, allowed = []) {
  const type = request.headers["content-type"] ?? "";
  if (!type.startsWith("application/json")) throw new ApiError(415, 10005, `Unsupported content type ${type}`);
  let value;
  try {
    value = JSON.parse(bytes);
  } catch {
    throw new ApiError(400, 10026, "Could not parse request body");
  }
  const names = Object.keys(value);
  for (const name of needed) {
    if (!names.includes(name)) throw new ApiError(400, 10026, `missing ${name}`);
  }
  const unknown = names.filter((name) => !needed.includes(name) && !allowed.includes(name));
  if (unknown.length > 0) throw new ApiError(400, 10026, `unknown fields: ${unknown}`);
  return value;
}
