// What React Native's own types declare of the platform, as far as `diagnose.ts` names it; there is no DOM.

declare function fetch(
  input: string,
  init?: { method?: string; headers?: Record<string, string>; body?: FormData; signal?: AbortSignal },
): Promise<Response>;
declare function setTimeout(handler: () => void, timeout: number): number;
declare function clearTimeout(handle: number): void;

interface Blob {
  readonly size: number;
  readonly type: string;
}

interface Response {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  text(): Promise<string>;
}

declare class FormData {
  append(key: string, value: unknown): void;
}

declare class AbortSignal {
  readonly aborted: boolean;
  addEventListener: (type: "abort", listener: (event: unknown) => unknown) => void;
  removeEventListener: (type: "abort", listener: (event: unknown) => unknown) => void;
}

declare class AbortController {
  readonly signal: AbortSignal;
  abort(): void;
}
