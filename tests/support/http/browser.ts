import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { HANG_MS } from "../timing/pause.ts";

const CHROMIUM = "/usr/bin/chromium";

/** What a page has done that it should not have. */
export interface Complaints {
  readonly console: string[];
  readonly policy: string[];
  /** Requests to other servers. */
  readonly elsewhere: string[];
}

/** A page that has done nothing wrong. */
export const NO_COMPLAINTS: Complaints = { console: [], policy: [], elsewhere: [] };

/** How a page is looked at. */
interface Look {
  readonly scheme?: "light" | "dark";
  readonly width?: number;
  readonly height?: number;
  /** Whether certificates that no one vouches for are accepted. */
  readonly trusting?: boolean;
}

// One for all pages: starting it takes as long as all that a test does with it.
let started: Promise<Browser> | undefined;

/** Ends the browser, if one was started. */
export async function endBrowser(): Promise<void> {
  await (await started)?.close();
  started = undefined;
}

/** A page in a real Chromium, with everything that it complains of. */
export class Browsing implements AsyncDisposable {
  readonly complaints: Complaints = { console: [], policy: [], elsewhere: [] };

  private constructor(private readonly context: BrowserContext, readonly page: Page) {}

  /** Opens a page, in the light of the system's colours or in the dark. */
  static async open(url: string, look: Look = {}): Promise<Browsing> {
    const { scheme: colorScheme = "light", width = 1280, height = 800, trusting = false } = look;
    // A root user's Chromium refuses to start with its sandbox.
    const args = ["--no-sandbox", "--disable-gpu"];
    started ??= chromium.launch({ executablePath: CHROMIUM, args, timeout: HANG_MS });
    const context = await (await started).newContext({
      colorScheme,
      viewport: { width, height },
      ignoreHTTPSErrors: trusting,
    });
    context.setDefaultTimeout(HANG_MS);
    const browsing = new Browsing(context, await context.newPage());
    await browsing.#listen(new URL(url).origin);
    await browsing.page.goto(url);
    return browsing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.context.close();
  }

  async #listen(origin: string): Promise<void> {
    const { console, policy, elsewhere } = this.complaints;
    this.page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) console.push(message.text());
    });
    this.page.on("pageerror", (error) => console.push(String(error)));
    this.page.on("requestfailed", (request) => {
      const why = request.failure()?.errorText ?? "";
      // A page that is left gives up what it has asked for.
      if (why !== "net::ERR_ABORTED") console.push(`failed: ${request.url()}: ${why}`);
    });
    this.page.on("request", (request) => {
      if (new URL(request.url()).origin !== origin) elsewhere.push(request.url());
    });
    await this.page.exposeFunction("reportPolicy", (what: string) => policy.push(what));
    await this.page.addInitScript(`
      addEventListener("securitypolicyviolation", (event) =>
        reportPolicy(event.violatedDirective + " " + event.blockedURI));
    `);
  }
}
