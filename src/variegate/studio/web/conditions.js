/** The tools for a model's condition: one, or one for every part of a composite. */

import { ClassTool } from "./class_tool.js";
import { make } from "./dom.js";
import { HoleTool } from "./hole_tool.js";
import { LabelTool } from "./label_tool.js";
import { LandmarkTool } from "./landmark_tool.js";
import { NothingTool } from "./nothing_tool.js";
import { PictureTool } from "./picture_tool.js";
import { VectorTool } from "./vector_tool.js";

/** All have mount(element, need, onChange(isMoving)), value() -> condition as sent or null, and set(condition). */
const TOOLS = {
  labels: { title: "Layout", Tool: LabelTool, task: "Paint the layout." },
  image: { title: "Picture", Tool: PictureTool, task: "Choose a picture." },
  hole: { title: "Hole", Tool: HoleTool, task: "Paint a hole." },
  landmarks: { title: "Landmarks", Tool: LandmarkTool, task: "Drag the landmarks." },
  class: { title: "Class", Tool: ClassTool, task: "Pick a class." },
  vector: { title: "Vector", Tool: VectorTool, task: "Slide between two examples." },
  none: { title: "Condition", Tool: NothingTool, task: "" },
};

export class Conditions {
  constructor(element, model, { examples, importFile, onChange }) {
    this.tools = model.parts.map((need, place) => {
      const tool = new TOOLS[need.kind].Tool({
        size: { height: model.height, width: model.width },
        exampleCount: examples.count,
        loadExamples: async (count) => (await examples.first(count)).map((condition) => partsOf(condition)[place]),
        importFile: (file) => importFile(file, place),
      });
      const part = make("div", { className: "part" });
      if (model.parts.length > 1) part.append(make("h3", {}, need.noun));
      tool.mount(part, need, onChange);
      element.append(part);
      return tool;
    });
    this.title = model.parts.length > 1 ? "Condition" : TOOLS[model.parts[0].kind].title;
    this.task = model.parts.map(({ kind }) => TOOLS[kind].task).join(" ");
  }

  /** The condition as it is sent; null while a part is still to be chosen. */
  value() {
    const parts = this.tools.map((tool) => tool.value());
    if (parts.includes(null)) return null;
    return parts.length > 1 ? { kind: "composite", parts } : parts[0];
  }

  async setPart(place, condition) {
    await this.tools[place].set(condition);
  }

  async set(condition) {
    const parts = partsOf(condition);
    await Promise.all(this.tools.map((tool, place) => tool.set(parts[place])));
  }
}

/** Whether a condition is one that a model takes. */
export function fits(condition, model) {
  const kinds = partsOf(condition).map(({ kind }) => kind);
  return kinds.join() === model.parts.map(({ kind }) => kind).join();
}

function partsOf(condition) {
  return condition.kind === "composite" ? condition.parts : [condition];
}
