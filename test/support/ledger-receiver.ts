import type { ServerResponse } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { type Received, type Receiver, startReceiver } from "./receiver.ts";

/** A POST as the receiver saw it. */
export interface Post {
  path: string;
  id: string;
  body: string;
  /** The process that sent it. */
  worker: number;
  at: number;
  /** The status that went out in full; 0 when none did. */
  answered: number;
}

/** A receiver that answers well, badly, slowly or not at all, as chance has it. */
export interface LedgerReceiver {
  /** Of an endpoint of its own; one whose name is `dead` takes nothing, ever. */
  url(name: string): string;
  /** In order of arrival. */
  posts: readonly Post[];
  /**
   * Leaves what a worker sends unanswered from now on, until `answer`, which takes all of it. Whoever sends any of that again
   * is left unanswered too, until `end`.
   */
  hold(worker: number): Hold;
}

/** What is left unanswered for the time being. */
export interface Hold {
  /** What the worker sent. */
  posts: readonly Post[];
  answer(): void;
  end(): void;
}

/** Starts one. */
export async function startLedgerReceiver(below: (limit: number) => number): Promise<LedgerReceiver> {
  const receiver: Receiver = await startReceiver();
  const posts: Post[] = [];
  let held: { worker: number; posts: Post[]; own: ServerResponse[]; others: ServerResponse[] } | undefined;
  receiver.behave((response, { path, headers, body }: Received) => {
    const worker = Number(headers["x-test-worker"]);
    const post: Post = { path, id: headers["webhook-id"] ?? "", body, worker, at: Date.now(), answered: 0 };
    posts.push(post);
    response.on("finish", () => {
      post.answered = response.statusCode;
    });
    if (held?.worker === worker) {
      held.posts.push(post);
      held.own.push(response);
    } else if (held?.posts.some((one) => one.path === path && one.id === post.id)) {
      held.others.push(response);
    } else if (path.endsWith("/dead")) response.writeHead(500).end();
    else void answerByChance(response, below);
  });
  return {
    url: (name) => new URL(`/${name}`, receiver.url).href,
    posts,
    hold(worker) {
      const hold = { worker, posts: [] as Post[], own: [] as ServerResponse[], others: [] as ServerResponse[] };
      const take = (responses: ServerResponse[]) => {
        for (const response of responses.splice(0)) response.writeHead(204).end();
      };
      held = hold;
      return {
        posts: hold.posts,
        answer() {
          hold.worker = 0;
          take(hold.own);
        },
        end() {
          held = undefined;
          take(hold.others);
        },
      };
    },
  };
}

// Slow is longer than a third of the lease, so that it is prolonged, and shorter than the deadline.
const SLOW_MS = { from: 300, to: 900 };

async function answerByChance(response: ServerResponse, below: (limit: number) => number): Promise<void> {
  const chance = below(100);
  if (chance < 12) await pause(SLOW_MS.from + below(SLOW_MS.to - SLOW_MS.from));
  if (chance < 75) response.writeHead(204).end();
  else if (chance < 85) response.writeHead(500).end("broken");
  else if (chance < 90) response.writeHead(503, { "retry-after": "1" }).end();
  else if (chance < 94) response.socket?.resetAndDestroy();
  else if (chance < 98) response.writeHead(200, { "content-length": "9" }).write("half", () => response.destroy());
  // else it says nothing
}
