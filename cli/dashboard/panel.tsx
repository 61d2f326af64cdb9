import { Box, Text } from "ink";
import type { ReactNode } from "react";
import { fitted, type Line, type Span } from "./line.ts";

/** A box of this size with a title in its border. */
export interface PanelProps {
  title: string;
  width: number;
  height: number;
  lines: readonly Line[];
}

/** A box with lines in it. What does not fit is not drawn. */
export function Panel({ title, width, height, lines }: PanelProps): ReactNode {
  const room = width - 6;
  const shown = title.length > room ? fitted(title, room) : title;
  return (
    <Box flexDirection="column" flexShrink={0} width={width} height={height}>
      <Text wrap="truncate">
        <Text dimColor>╭─ </Text>
        <Text bold color="cyan">
          {shown}
        </Text>
        <Text dimColor> {"─".repeat(Math.max(0, width - shown.length - 5))}╮</Text>
      </Text>
      <Box
        borderStyle="round"
        borderTop={false}
        borderDimColor
        flexDirection="column"
        height={height - 1}
        paddingX={1}
        overflow="hidden"
      >
        <Lines lines={lines.slice(0, height - 2)} />
      </Box>
    </Box>
  );
}

/** Lines below each other, each in one row. */
export function Lines({ lines }: { lines: readonly Line[] }): ReactNode {
  return lines.map(({ spans, selected = false }, at) => (
    // A line is its place: nothing of it is kept.
    // biome-ignore lint/suspicious/noArrayIndexKey: see above
    <Text key={at} wrap="truncate" {...(selected ? SELECTED : {})}>
      {isEmpty(spans)
        ? " "
        : joined(spans, selected).map((span, place) => (
            <Piece key={keyOf(span, place)} span={span} selected={selected} />
          ))}
    </Text>
  ));
}

const SELECTED = { backgroundColor: "blue", color: "whiteBright", bold: true } as const;

function Piece({ span, selected }: { span: Span; selected: boolean }): ReactNode {
  const { text, color, bold = false, dim = false } = span;
  if (selected) return text;
  return (
    <Text bold={bold} dimColor={dim} {...(color ? { color } : {})}>
      {text}
    </Text>
  );
}

/** Neighbours in one look as one: each piece costs a node to lay out. */
function joined(spans: readonly Span[], selected: boolean): Span[] {
  const pieces: Span[] = [];
  for (const span of spans) {
    const last = pieces.at(-1);
    if (last && (selected || isAlike(last, span))) pieces[pieces.length - 1] = { ...last, text: last.text + span.text };
    else pieces.push(span);
  }
  return pieces;
}

function isAlike(a: Span, b: Span): boolean {
  return a.color === b.color && a.bold === b.bold && a.dim === b.dim;
}

/** A row of nothing is a row. */
function isEmpty(spans: readonly Span[]): boolean {
  return spans.every(({ text }) => text === "");
}

function keyOf({ text }: Span, place: number): string {
  return `${place} ${text}`;
}
