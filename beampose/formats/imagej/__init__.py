"""DeepLabCut version 1 and dlc-cloudml: tables of clicks saved by ImageJ."""
