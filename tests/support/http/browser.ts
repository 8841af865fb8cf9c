import { type Browser, chromium, type Page } from "playwright-core";

const CHROMIUM = "/usr/bin/chromium";

/** What a page has said that it should not have. */
export interface Complaints {
  readonly console: string[];
  readonly policy: string[];
}

/** A page in a real Chromium, with everything that it complains of. */
export class Browsing implements AsyncDisposable {
  readonly complaints: Complaints = { console: [], policy: [] };

  private constructor(private readonly browser: Browser, readonly page: Page) {}

  /** Opens a page with one of the two colour schemes. */
  static async open(url: string, colorScheme: "light" | "dark", width = 1100): Promise<Browsing> {
    // A root user's Chromium refuses to start with its sandbox.
    const args = ["--no-sandbox", "--disable-gpu"];
    const browser = await chromium.launch({ executablePath: CHROMIUM, args });
    const context = await browser.newContext({ colorScheme, viewport: { width, height: 800 } });
    const browsing = new Browsing(browser, await context.newPage());
    await browsing.#listen();
    await browsing.page.goto(url);
    return browsing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.browser.close();
  }

  async #listen(): Promise<void> {
    const { console, policy } = this.complaints;
    this.page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) console.push(message.text());
    });
    this.page.on("pageerror", (error) => console.push(String(error)));
    this.page.on("requestfailed", (request) => console.push(`failed: ${request.url()}`));
    await this.page.exposeFunction("reportPolicy", (what: string) => policy.push(what));
    await this.page.addInitScript(`
      addEventListener("securitypolicyviolation", (event) =>
        reportPolicy(event.violatedDirective + " " + event.blockedURI));
    `);
  }
}
