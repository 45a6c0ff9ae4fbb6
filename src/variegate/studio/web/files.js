/** Files that the page hands to the user, some of which the server makes in a job. */

import { Failure, get, getBlob, pause, post } from "./api.js";
import { fromBase64 } from "./wire.js";

const POLL = 0.4; // seconds

function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // browsers may begin to read it late
}

export function downloadPng(png, name) {
  download(new Blob([fromBase64(png)], { type: "image/png" }), name);
}

/** Asks for a job, waits until it is done and downloads its file. */
export async function downloadJob(request, name) {
  let job = await post("v1/jobs", request);
  while (job.state === "queued" || job.state === "running") {
    await pause(POLL);
    job = await get(`v1/jobs/${job.id}`);
  }
  if (job.state !== "done") throw new Failure(0, job.error ?? `the job was ${job.state}`);
  download(await getBlob(job.result), name);
}
