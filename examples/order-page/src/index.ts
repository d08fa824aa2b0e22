// Renders an order as an HTML invoice, after looking at what the shop's system sent.

import { log, task, TaskError, type U32 } from "@chicory/sdk";

interface Line { article: string; quantity: U32; cents: U32 }
interface Order { number: string; customer: string; currency: Currency; lines: Line[]; note?: string }
type Currency = "eur" | "usd" | "chf";
interface Invoice { html: string; cents: U32; lines: U32 }

/** What is wrong with the order, which another try won't mend. */
class BadOrder extends TaskError {}

/** Renders an order as an HTML page. */
export const render = task({ maxRetries: 2, timeout: 5 }, (order: Order): Invoice => {
  const problems = check(order);
  if (problems.length > 0) throw new BadOrder(`order ${order.number}: ${problems.join("; ")}`, { final: true });
  const cents = order.lines.reduce((sum, line) => sum + line.quantity * line.cents, 0);
  const price = money(order.currency);
  const rows = order.lines.map((line) =>
    html`<tr><td>${line.article}</td><td>${line.quantity}</td><td>${price(line.cents)}</td></tr>`);
  log.info(`invoice ${order.number}: ${order.lines.length} lines, ${price(cents)}`);
  const page = html`<!doctype html><title>Invoice ${order.number}</title><h1>Invoice ${order.number}</h1>
<p>${order.customer}</p><table>${raw(rows.join(""))}</table><p>Total: ${price(cents)}</p>${
    raw(order.note ? html`<p>${order.note}</p>` : "")}`;
  return { html: page, cents, lines: order.lines.length };
});

function check(order: Order): string[] {
  const problems = order.lines.flatMap((line, index) =>
    line.quantity === 0 ? [`lines[${index}].quantity is 0`] : line.article.trim() === "" ? [`lines[${index}] has no article`] : []);
  return order.lines.length === 0 ? ["there are no lines"] : problems;
}

const money = (currency: Currency) => (cents: number) =>
  `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, "0")} ${currency.toUpperCase()}`;

/** Text that is HTML already. */
const raw = (text: string) => ({ text });

/** A template whose values can't become markup. */
function html(parts: TemplateStringsArray, ...values: (string | number | { text: string })[]): string {
  const shown = values.map((value) => (typeof value === "object" ? value.text : escaped(String(value))));
  return parts.map((part, index) => part + (shown[index] ?? "")).join("");
}

const ENTITIES: { [character: string]: string } = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escaped = (text: string) => text.replace(/[&<>"]/g, (character) => ENTITIES[character] ?? character);
