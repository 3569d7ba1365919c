/** XML as plain values, so that protocol modules need no DOM. */

export interface Xml {
  readonly name: string;
  readonly ns: string;
  readonly attrs: Readonly<Record<string, string>>;
  readonly children: readonly (Xml | string)[];
}

type Attrs = Record<string, string | number | boolean | undefined>;

/** Builds an element; `xmlns` among the attributes is its namespace, absent ones are left out. */
export function xml(name: string, attrs: Attrs = {}, ...children: (Xml | string | undefined)[]): Xml {
  const kept: Record<string, string> = {};
  for (const [key, value] of Object.entries(attrs)) {
    if (value !== undefined) kept[key] = String(value);
  }
  return { name, ns: kept.xmlns ?? '', attrs: kept, children: children.filter((c) => c !== undefined) };
}

export function elements(parent: Xml): Xml[] {
  return parent.children.filter((c): c is Xml => typeof c !== 'string');
}

export function all(parent: Xml, name: string, ns?: string): Xml[] {
  return elements(parent).filter((c) => c.name === name && (ns === undefined || c.ns === ns));
}

export function first(parent: Xml | undefined, name: string, ns?: string): Xml | undefined {
  return parent && all(parent, name, ns)[0];
}

export function text(node: Xml | undefined): string {
  return node ? node.children.filter((c): c is string => typeof c === 'string').join('') : '';
}

const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' };
// Characters that XML 1.0 (2.2) cannot carry: one of them would end the stream.
const FORBIDDEN = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu;

export function escape(value: string): string {
  return value.replace(FORBIDDEN, '').replace(/[&<>"']/g, (c) => ESCAPES[c]!);
}

export function serialize(node: Xml): string {
  const attrs = Object.entries(node.attrs).map(([k, v]) => ` ${k}="${escape(v)}"`).join('');
  if (!node.children.length) return `<${node.name}${attrs}/>`;
  const inner = node.children.map((c) => (typeof c === 'string' ? escape(c) : serialize(c))).join('');
  return `<${node.name}${attrs}>${inner}</${node.name}>`;
}

/** No stanza of ours is nested deeper; a peer must not exhaust our stack. */
const MAX_DEPTH = 32;

/** Reads a DOM element; namespaces are resolved, so inherited ones are found as well. */
export function fromElement(element: Element, depth = 0): Xml {
  const attrs: Record<string, string> = {};
  for (const attribute of Array.from(element.attributes)) attrs[attribute.name] = attribute.value;
  const children: (Xml | string)[] = [];
  for (const child of Array.from(element.childNodes)) {
    if (child.nodeType === 1 && depth < MAX_DEPTH) children.push(fromElement(child as Element, depth + 1));
    else if (child.nodeType === 3 || child.nodeType === 4) children.push(child.nodeValue ?? '');
  }
  return { name: element.localName, ns: element.namespaceURI ?? '', attrs, children };
}

export function toElement(node: Xml): Element {
  const parsed = new DOMParser().parseFromString(serialize(node), 'text/xml');
  return parsed.documentElement;
}
